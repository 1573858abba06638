//! The pages below `docs/api` are what the declarations say. `NAVIGATOR_WRITE_DOCS=1` writes them.

use std::{collections::BTreeMap, fs, path::Path};

#[test]
fn the_reference_pages_are_fresh() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api");
    let pages = navigator_api::reference_pages();
    if std::env::var_os("NAVIGATOR_WRITE_DOCS").is_some() {
        for (name, text) in &pages {
            fs::write(directory.join(name), text).unwrap();
        }
    }
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.insert(name, fs::read_to_string(&path).unwrap());
    }
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&pages), "pages of docs/api");
    for (name, text) in &pages {
        let command = "NAVIGATOR_WRITE_DOCS=1 cargo test -p navigator-api --test reference";
        assert!(found[name] == *text, "docs/api/{name} is stale; write it by: {command}");
    }
}
