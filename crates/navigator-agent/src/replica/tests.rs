//! Folding, and the files, with real files.

use std::{fs, io::Write, path::Path};

use navigator_model::{
    FloatingIpId, RouterId,
    snapshot::{Duties, FloatingIp, Router},
};

use super::{
    journal::{Entry, Journal, load},
    *,
};

fn router_id() -> RouterId {
    "11111111-2222-4333-8444-555555555555".parse().unwrap()
}

fn scope() -> Scope {
    Scope::Router(router_id())
}

fn router() -> (ObjectKey, Object) {
    let router = Router {
        id: router_id(),
        project_id: "p".into(),
        admin_state_up: true,
        interfaces: Vec::new(),
        gateway: None,
        routes: Vec::new(),
    };
    (ObjectKey::Router(router_id()), Object::Router(router))
}

fn floating_ip(n: u8) -> (ObjectKey, Object) {
    let id: FloatingIpId = format!("{n:08x}-0000-4000-8000-000000000000").parse().unwrap();
    let object = FloatingIp { address: [203, 0, 113, n].into(), fixed_ip: None };
    (ObjectKey::FloatingIp(id), Object::FloatingIp(object))
}

fn complete(revision: u64) -> Snapshot {
    let objects = [router()].into();
    Snapshot { scope: scope(), revision: Revision(revision), objects, duties: Duties::default() }
}

fn added(revision: u64, n: u8) -> Fetched {
    let (key, object) = floating_ip(n);
    Fetched::Changes {
        scope: scope(),
        revision: Revision(revision),
        objects: vec![(key, Some(object))],
    }
}

fn logged(since: u64, n: u8) -> Entry {
    let (key, object) = floating_ip(n);
    let objects = vec![(key, Some(object))];
    let (since, revision) = (Revision(since), Revision(since + 1));
    Entry::Changes { scope: scope(), since, revision, objects }
}

#[test]
fn changes_name_what_they_touched() {
    let mut held = Some(complete(1));
    let folded = fold(&mut held, &scope(), added(2, 7)).unwrap();
    assert_eq!(folded, Folded::Held(Changed::Objects(vec![floating_ip(7).0])));
    let held = held.unwrap();
    assert_eq!((held.revision, held.objects.len()), (Revision(2), 2));
}

#[test]
fn an_answer_that_is_not_usable_changes_nothing() {
    let empty = Snapshot { objects: [].into(), ..complete(9) };
    let main_gone = vec![(router().0, None)];
    let other = Scope::Host("x".into());
    let unusable = [
        Fetched::Complete(empty),
        Fetched::Changes { scope: scope(), revision: Revision(9), objects: main_gone },
        added(1, 3),
        Fetched::Gone { scope: other, revision: Revision(9) },
    ];
    for fetched in unusable {
        let mut held = Some(complete(5));
        let text = format!("{fetched:?}");
        assert!(fold(&mut held, &scope(), fetched).is_err(), "{text}");
        assert_eq!(held, Some(complete(5)));
    }
    assert!(matches!(fold(&mut None, &scope(), added(2, 1)), Err(FoldError::NothingHeld)));
}

#[test]
fn duties_that_vanish_without_a_newer_revision_are_not_believed() {
    let scope = Scope::Host("h".into());
    let snapshot = |revision, routers| Snapshot {
        scope: scope.clone(),
        revision: Revision(revision),
        objects: [].into(),
        duties: Duties { routers, ..Duties::default() },
    };
    let mut held = Some(snapshot(5, vec![router_id()]));
    for forgotten in [0, 4, 5] {
        let answer = Fetched::Complete(snapshot(forgotten, Vec::new()));
        assert!(matches!(fold(&mut held, &scope, answer), Err(FoldError::LostDuties { .. })));
    }
    assert!(fold(&mut held, &scope, Fetched::Complete(snapshot(6, Vec::new()))).is_ok());
}

fn on_disk(directory: &Path) -> Snapshot {
    load(directory).pop().expect("a replica is on disk")
}

#[test]
fn what_was_kept_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path().to_owned()).unwrap();
    journal.keep(Entry::Complete(Box::new(complete(1))));
    journal.keep(logged(1, 1));
    journal.keep(logged(2, 2));
    drop(journal);
    let mut expected = complete(3);
    expected.objects.extend([floating_ip(1), floating_ip(2)]);
    assert_eq!(on_disk(directory.path()), expected);
}

#[test]
fn a_torn_line_costs_only_itself_and_the_next_process_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Journal::open(directory.path().to_owned()).unwrap();
    let journal = open();
    journal.keep(Entry::Complete(Box::new(complete(1))));
    journal.keep(logged(1, 1));
    drop(journal);
    let log = directory.path().join(format!("router-{}.log", router_id()));
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"{\"since\":2,\"revi").unwrap();
    assert_eq!(on_disk(directory.path()).revision, Revision(2));
    let journal = open();
    journal.keep(logged(2, 2));
    drop(journal);
    assert_eq!(on_disk(directory.path()).revision, Revision(3));
}

#[test]
fn a_gap_in_the_log_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path().to_owned()).unwrap();
    journal.keep(Entry::Complete(Box::new(complete(1))));
    journal.keep(logged(1, 1));
    journal.keep(logged(4, 2));
    drop(journal);
    assert_eq!(on_disk(directory.path()).revision, Revision(2));
}

#[test]
fn a_long_log_is_folded_and_a_gone_scope_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path().to_owned()).unwrap();
    journal.keep(Entry::Complete(Box::new(complete(1))));
    for since in 1..2000 {
        journal.keep(logged(since, 1));
    }
    drop(journal);
    let log = directory.path().join(format!("router-{}.log", router_id()));
    let length = fs::metadata(&log).map_or(0, |metadata| metadata.len());
    assert!(length < 200_000, "{length}");
    assert_eq!(on_disk(directory.path()).revision, Revision(2000));
    let journal = Journal::open(directory.path().to_owned()).unwrap();
    journal.keep(Entry::Gone(scope()));
    drop(journal);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
