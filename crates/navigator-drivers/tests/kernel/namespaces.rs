//! Named namespaces: made with their mark, told apart, left alone when they are somebody else's.

use navigator_state::{Action, Namespace};

use crate::host::{namespace, on_a_host, refusal, router, run, small_router};

fn name(namespace: &Namespace) -> String {
    namespace.to_string()
}

#[test]
fn a_made_namespace_is_seen_by_ip_netns_and_has_its_loopback_up() {
    on_a_host(|host| {
        let scope = router(1);
        let inside = namespace(&scope);
        host.must(&scope, vec![Action::CreateNamespace(inside.clone())]);
        assert_eq!(run(&["ip", "netns", "list"]).trim(), name(&inside));
        let lo = run(&["ip", "-n", &name(&inside), "link", "show", "lo"]);
        assert!(lo.contains("LOOPBACK,UP"), "{lo}");
        assert!(lo.contains(&format!("alias navigator:{scope}")), "{lo}");
        assert!(host.observe(&scope).namespaces.contains_key(&inside));
        host.must(&scope, vec![Action::DeleteNamespace(inside.clone())]);
        assert_eq!(run(&["ip", "netns", "list"]), "");
        assert!(!host.observe(&scope).namespaces.contains_key(&inside));
    });
}

#[test]
fn making_a_namespace_that_is_ours_already_changes_nothing() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, small_router(&scope));
        host.must(&scope, vec![Action::CreateNamespace(namespace(&scope))]);
        assert!(host.observe(&scope).namespaces[&namespace(&scope)].links.contains_key("qr-a"));
    });
}

#[test]
fn a_foreign_namespace_of_our_name_is_left_alone() {
    on_a_host(|host| {
        let scope = router(1);
        let inside = namespace(&scope);
        run(&["ip", "netns", "add", &name(&inside)]);
        let actions =
            [small_router(&scope), vec![Action::DeleteNamespace(inside.clone())]].concat();
        let outcomes = host.apply(&scope, actions);
        for step in 0..3 {
            assert!(refusal(&outcomes, step).contains("somebody else"), "step {step}");
        }
        assert_eq!(run(&["ip", "netns", "list"]).trim(), name(&inside));
        assert!(!host.observe(&scope).namespaces.contains_key(&inside));
        assert!(host.kernel.scopes_present().unwrap().is_empty());
    });
}

#[test]
fn a_namespace_with_another_scopes_mark_is_left_alone() {
    on_a_host(|host| {
        let (scope, other) = (router(1), router(2));
        host.must(&scope, small_router(&scope));
        let inside = namespace(&scope);
        let outcomes = host.apply(&other, vec![Action::DeleteNamespace(inside.clone())]);
        assert!(refusal(&outcomes, 0).contains("somebody else"));
        assert!(host.observe(&scope).namespaces.contains_key(&inside));
    });
}

#[test]
fn a_namespace_that_was_made_again_is_not_worked_in_through_old_sockets() {
    on_a_host(|host| {
        let scope = router(1);
        let inside = namespace(&scope);
        host.must(&scope, small_router(&scope));
        run(&["ip", "netns", "delete", &name(&inside)]);
        run(&["ip", "netns", "add", &name(&inside)]);
        // Not ours any more: the mark went with the old one.
        assert!(!host.observe(&scope).namespaces.contains_key(&inside));
        run(&["ip", "netns", "delete", &name(&inside)]);
        host.must(&scope, small_router(&scope));
        let links = run(&["ip", "-n", &name(&inside), "-br", "link"]);
        assert!(links.contains("qr-a"), "{links}");
    });
}

#[test]
fn a_vanished_namespace_is_noticed_and_its_steps_fail() {
    on_a_host(|host| {
        let scope = router(1);
        let inside = namespace(&scope);
        host.must(&scope, small_router(&scope));
        run(&["ip", "netns", "delete", &name(&inside)]);
        assert!(!host.observe(&scope).namespaces.contains_key(&inside));
        let outcomes = host.apply(&scope, small_router(&scope)[1..].to_vec());
        assert!(refusal(&outcomes, 0).contains("does not exist"));
    });
}

#[test]
fn deleting_a_namespace_frees_the_names_of_its_devices_other_ends() {
    on_a_host(|host| {
        let scope = router(1);
        for _ in 0..3 {
            let delete = Action::DeleteNamespace(namespace(&scope));
            host.must(&scope, [small_router(&scope), vec![delete]].concat());
            assert!(!run(&["ip", "-br", "link"]).contains("tap-a"));
        }
    });
}

#[test]
fn a_name_without_a_namespace_is_a_leftover_and_is_used_again() {
    on_a_host(|host| {
        let scope = router(1);
        let inside = namespace(&scope);
        std::fs::create_dir_all("/run/netns").unwrap();
        std::fs::write(format!("/run/netns/{inside}"), "").unwrap();
        assert!(!host.observe(&scope).namespaces.contains_key(&inside));
        host.must(&scope, small_router(&scope));
        assert!(host.observe(&scope).namespaces.contains_key(&inside));
    });
}

#[test]
fn scopes_are_found_by_namespace_device_and_file() {
    on_a_host(|host| {
        use crate::host::{create, network, plain, state_file};
        use navigator_state::LinkKind;
        let (by_namespace, by_device, by_file) = (router(1), network(2), router(3));
        host.must(&by_namespace, vec![Action::CreateNamespace(namespace(&by_namespace))]);
        host.must(&by_device, vec![create(&Namespace::Host, "brq-a", plain(LinkKind::Bridge))]);
        let path = state_file(&by_file, "hosts");
        host.must(&by_file, vec![Action::WriteFile { path, content: vec![1] }]);
        let found = host.kernel.scopes_present().unwrap();
        assert_eq!(found, [by_namespace, by_device, by_file].into());
    });
}
