//! Which connection goes.

use super::*;

fn enter(connections: &Arc<Connections>, address: &str) -> Place {
    connections.enter(address.parse().unwrap()).unwrap()
}

/// Whether it was told to end.
async fn is_cut(place: &Place) -> bool {
    tokio::select! {
        biased;
        () = place.connection.cut() => true,
        () = tokio::task::yield_now() => false,
    }
}

#[tokio::test]
async fn who_has_most_loses_the_one_that_waits_longest() {
    let connections = Connections::new(4);
    let few = enter(&connections, "192.0.2.1");
    let many = ["192.0.2.2", "192.0.2.2", "192.0.2.2"].map(|at| enter(&connections, at));
    // The oldest of them has just ended a request, so that the second one waits longest.
    drop(many[0].connection.at_work());
    let newest = enter(&connections, "192.0.2.3");
    let cut = [is_cut(&few).await, is_cut(&newest).await, is_cut(&many[0]).await];
    assert_eq!(cut, [false; 3]);
    assert!(is_cut(&many[1]).await && !is_cut(&many[2]).await);
}

#[tokio::test]
async fn what_is_at_work_stays_and_a_new_one_is_refused() {
    let connections = Connections::new(2);
    let places = ["192.0.2.1", "192.0.2.1"].map(|at| enter(&connections, at));
    let at_work = places.each_ref().map(|place| place.connection.at_work());
    assert!(connections.enter("192.0.2.2".parse().unwrap()).is_none());
    let [first, _second] = at_work;
    drop(first);
    let _new = enter(&connections, "192.0.2.2");
    assert!(is_cut(&places[0]).await && !is_cut(&places[1]).await);
}

#[test]
fn places_are_given_back_once() {
    let connections = Connections::new(2);
    for _ in 0..3 {
        let places = ["192.0.2.1", "2001:db8::1", "2001:db8::2"].map(|at| enter(&connections, at));
        assert_eq!(locked(&connections.open).count, 2);
        drop(places);
        assert_eq!(locked(&connections.open).count, 0);
        assert!(locked(&connections.open).sources.is_empty());
    }
}

#[test]
fn a_source_is_an_address_or_a_network_of_ipv6() {
    let same = |a: &str, b: &str| source(a.parse().unwrap()) == source(b.parse().unwrap());
    assert!(same("2001:db8::1", "2001:db8::ffff:1"));
    assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
    assert!(!same("192.0.2.1", "192.0.2.2"));
}
