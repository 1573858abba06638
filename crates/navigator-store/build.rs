//! Lists the migrations: every `migrations/<number>_<name>.sql`, in the order of the numbers, as the
//! elements of an array that `migrations.rs` includes. A new file needs no other line.

use std::{collections::BTreeMap, env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=migrations");
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("migrations");
    let mut migrations: BTreeMap<i64, String> = BTreeMap::new();
    for entry in fs::read_dir(&directory)? {
        let file = entry?.file_name().into_string().map_err(|_| "a file name that is not text")?;
        let Some(name) = file.strip_suffix(".sql") else { continue };
        let version = name.split('_').next().unwrap_or_default().parse();
        let version = version.map_err(|_| format!("{file} does not begin with a number"))?;
        if let Some(other) = migrations.insert(version, name.to_owned()) {
            return Err(format!("{other} and {name} have the same number").into());
        }
    }
    let mut list = String::from("[\n");
    for (version, name) in &migrations {
        // The text itself: a path would be wrong after the tree has moved.
        let text = fs::read_to_string(directory.join(format!("{name}.sql")))?;
        writeln!(list, "Migration {{ version: {version}, name: {name:?}, text: {text:?} }},")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), list)?;
    Ok(())
}
