//! How long somebody waits, in time that the tests make.

use std::future::pending;

use futures::future::join_all;
use tokio::{sync::Semaphore, time::sleep};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn connections() -> Connections<()> {
    Connections::new((), PATIENCE)
}

#[tokio::test(start_paused = true)]
async fn whoever_gets_nothing_in_a_queue_that_stands_still_waits_no_longer() {
    let connections = connections();
    let start = Instant::now();
    let waited = connections.waited(pending::<Result<(), Error>>()).await;
    assert!(matches!(waited, Err(Error::PoolTimedOut)));
    assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_moves_is_worked_off() {
    let connections = connections();
    // One connection, each time for two seconds: the last one waits 18 s.
    let only = Semaphore::new(1);
    let users = (0..10).map(async |_| {
        let connection = connections.waited(async { Ok(only.acquire().await.unwrap()) }).await;
        let _connection = connection?;
        sleep(Duration::from_secs(2)).await;
        Ok::<(), Error>(())
    });
    assert!(join_all(users).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_one_finds_out_and_the_others_are_told_at_once() {
    let connections = connections();
    let forever = || connections.waited(pending::<Result<(), Error>>());
    let refused = join_all((0..20).map(|_| forever())).await;
    assert!(refused.iter().all(Result::is_err));
    // The next one tries, and while it does nobody else has to.
    let start = Instant::now();
    let back = async {
        sleep(Duration::from_secs(3)).await;
        Ok(())
    };
    let (first, others) = tokio::join!(connections.waited(back), async {
        let others = join_all((0..20).map(|_| forever())).await;
        (others, start.elapsed())
    });
    assert!(first.is_ok() && others.0.iter().all(Result::is_err));
    assert_eq!(others.1, Duration::ZERO);
    // It found that the database is back.
    assert!(connections.waited(async { Ok(()) }).await.is_ok());
    forever().await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), (Duration::from_secs(3) + PATIENCE).as_secs());
}

#[tokio::test(start_paused = true)]
async fn one_more_than_can_be_served_is_told_at_once() {
    let connections = connections();
    let start = Instant::now();
    let refused = async {
        // After the others, which are polled first.
        tokio::task::yield_now().await;
        let refused = connections.waited(pending::<Result<(), Error>>()).await;
        (refused, start.elapsed())
    };
    let waiting = (0..MOST_WAITING).map(|_| connections.waited(pending::<Result<(), Error>>()));
    let (_, (refused, after)) = tokio::join!(join_all(waiting), refused);
    assert!(refused.is_err());
    assert_eq!(after, Duration::ZERO);
}
