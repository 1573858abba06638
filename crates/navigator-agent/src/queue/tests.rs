//! The queue alone, on tokio's paused clock.

use super::*;

fn host() -> Scope {
    Scope::Host("h".into())
}

fn router(n: u128) -> Scope {
    format!("router/{:08x}-0000-4000-8000-000000000000", n).parse().unwrap()
}

async fn nothing_comes(queue: &Queue) -> bool {
    tokio::time::timeout(Duration::from_millis(1), queue.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_is_woken_twice_comes_once_with_both_causes() {
    let queue = Queue::default();
    queue.wake(router(1), Cause::Revision);
    queue.wake(router(1), Cause::Foreign);
    let (scope, causes) = queue.next().await;
    assert_eq!(scope, router(1));
    assert!(causes.contains(Cause::Revision) && causes.contains(Cause::Foreign));
    queue.done(&scope);
    assert!(queue.is_idle() && nothing_comes(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_is_woken_while_it_runs_runs_again_but_never_twice_at_once() {
    let queue = Queue::default();
    queue.wake(router(1), Cause::Revision);
    queue.next().await;
    queue.wake(router(1), Cause::Revision);
    assert!(nothing_comes(&queue).await);
    queue.wake(router(2), Cause::Revision);
    assert_eq!(queue.next().await.0, router(2));
    queue.done(&router(1));
    assert_eq!(queue.next().await.0, router(1));
}

#[tokio::test(start_paused = true)]
async fn a_change_overtakes_resyncs_and_the_host_overtakes_all() {
    let queue = Queue::default();
    for n in 1..=3 {
        queue.wake(router(n), Cause::Resync);
    }
    queue.wake(router(3), Cause::Revision);
    queue.wake(host(), Cause::Duty);
    let mut order = Vec::new();
    while !queue.is_idle() {
        let (scope, _) = queue.next().await;
        queue.done(&scope);
        order.push(scope);
    }
    assert_eq!(order, [host(), router(3), router(1), router(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_comes_when_it_is_due_and_can_be_forgotten() {
    let queue = Queue::default();
    queue.wake_after(router(1), Cause::Retry, Duration::from_secs(5));
    assert!(nothing_comes(&queue).await && !queue.is_idle());
    let start = Instant::now();
    assert_eq!(queue.next().await.0, router(1));
    assert_eq!(start.elapsed().as_secs(), 4);
    queue.done(&router(1));
    queue.wake_after(router(1), Cause::Retry, Duration::from_secs(5));
    queue.forget_retry(&router(1));
    assert!(queue.is_idle());
}

#[tokio::test(start_paused = true)]
async fn several_workers_share_a_burst() {
    let queue = std::sync::Arc::new(Queue::default());
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.next().await.0 })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    for n in 1..=3 {
        queue.wake(router(n), Cause::Revision);
    }
    let mut taken = HashSet::new();
    for worker in workers {
        taken.insert(worker.await.unwrap());
    }
    assert_eq!(taken.len(), 3);
}
