//! Files of a scope's state directory.

use navigator_state::Action;

use crate::host::{on_a_host, router, state_file};

#[test]
fn files_are_written_whole_listed_and_deleted_with_their_directory() {
    on_a_host(|host| {
        let scope = router(1);
        let path = state_file(&scope, "deeper/hosts");
        let write =
            |content: &[u8]| Action::WriteFile { path: path.clone(), content: content.to_vec() };
        host.must(&scope, vec![write(b"one"), write(b"two")]);
        // What a child keeps there is not part of the state.
        let leases = state_file(&scope, "leases");
        std::fs::write(&leases, "a lease").unwrap();
        assert_eq!(host.observe(&scope).files, [(path.clone(), b"two".to_vec())].into());
        let delete = Action::DeleteFile { path: path.clone() };
        host.must(&scope, vec![delete.clone(), delete]);
        assert!(host.observe(&scope).files.is_empty());
        assert!(!leases.exists(), "a scope without files keeps its directory");
        assert!(host.kernel.scopes_present().unwrap().is_empty());
    });
}

#[test]
fn a_file_half_written_by_a_killed_agent_is_seen_and_can_be_deleted() {
    on_a_host(|host| {
        let scope = router(1);
        let path = state_file(&scope, ".hosts.new");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "ha").unwrap();
        assert!(host.observe(&scope).files.contains_key(&path));
    });
}
