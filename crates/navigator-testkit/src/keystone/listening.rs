//! A thread that serves connections to a socket until it is dropped. Knows nothing of what is served.

use std::{
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};

use tokio::{net::TcpStream, sync::oneshot};

pub(super) struct Listening {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    pub(super) fn start<F>(
        listener: TcpListener,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || run(listener, serve, stopped));
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://host:port`
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn run<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F, stopped: oneshot::Receiver<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let accept = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(stream));
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
