//! The private PostgreSQL: databases are apart, and it is gone when its owner is.

use navigator_testkit::Postgres;

#[test]
fn every_test_has_an_empty_database_of_its_own() {
    let server = Postgres::shared();
    let (first, second) = (server.database(), server.database());
    assert_ne!(first, second);
    let name = |url: &str| url.split(['/', '?']).nth(3).map(str::to_owned).unwrap_or_default();
    server.sql(&name(&first), "CREATE TABLE seen (n int); INSERT INTO seen VALUES (7)");
    assert_eq!(server.sql(&name(&first), "SELECT n FROM seen"), "7");
    assert_eq!(
        server.sql(&name(&second), "SELECT count(*) FROM pg_tables WHERE tablename='seen'"),
        "0"
    );
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_directory() {
    let server = Postgres::start();
    let url = server.database();
    let dir = url.split("host=").nth(1).expect("a socket directory").to_owned();
    assert!(std::path::Path::new(&dir).join(".s.PGSQL.5432").exists());
    drop(server);
    assert!(!std::path::Path::new(&dir).exists());
}
