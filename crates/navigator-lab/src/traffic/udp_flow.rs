//! One UDP flow from one source port: a packet per interval whether or not the last was answered.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use super::{Flow, Ledger, RECORD};

/// How long after the last packet an echo still counts.
const GRACE: Duration = Duration::from_secs(5);

pub(super) fn run(flow: &Flow) -> Ledger {
    let mut ledger = Ledger::default();
    let outcome = open(flow).and_then(|socket| exchange(flow, &socket, &mut ledger));
    flow.has_started();
    if let Err(error) = outcome {
        ledger.broken_connections = 1;
        ledger.first_failure = Some(error.to_string());
    }
    ledger
}

fn open(flow: &Flow) -> io::Result<UdpSocket> {
    let target = flow.target;
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let open = move || {
        let socket = UdpSocket::bind(any)?;
        socket.connect(target)?;
        Ok(socket)
    };
    flow.from.thread(open).map_err(io::Error::other)?
}

fn exchange(flow: &Flow, socket: &UdpSocket, ledger: &mut Ledger) -> io::Result<()> {
    let mut books = Books { next_expected: 0, received: 0, last_echo: Instant::now() };
    for sequence in 0.. {
        // A refused packet (ICMP) shows as an error of a later call; the books tell it as a loss.
        let _ = socket.send(&flow.record(sequence));
        ledger.udp_sent += 1;
        if sequence == 0 {
            flow.has_started();
        }
        receive_until(flow, socket, Instant::now() + flow.interval, &mut books, ledger)?;
        if flow.stopped() {
            break;
        }
    }
    let stopped = Instant::now();
    let deadline = stopped + GRACE;
    while books.received < ledger.udp_sent && Instant::now() < deadline {
        let tick = Instant::now() + Duration::from_millis(10);
        receive_until(flow, socket, tick.min(deadline), &mut books, ledger)?;
    }
    ledger.udp_lost = ledger.udp_sent.saturating_sub(books.received);
    if ledger.udp_lost > 0 {
        // Nothing is sent in the grace: it is no part of the silence.
        ledger.note_gap(books.last_echo + stopped.elapsed(), flow.interval_ms());
    }
    Ok(())
}

struct Books {
    next_expected: u64,
    received: u64,
    last_echo: Instant,
}

fn receive_until(
    flow: &Flow,
    socket: &UdpSocket,
    deadline: Instant,
    books: &mut Books,
    ledger: &mut Ledger,
) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        socket.set_read_timeout(Some(left))?;
        let mut echo = [0; RECORD];
        // Timeouts and ICMP errors alike mean that nothing came.
        if !matches!(socket.recv(&mut echo), Ok(RECORD)) {
            continue;
        }
        let sequence = u64::from_be_bytes(std::array::from_fn(|at| echo[4 + at]));
        ledger.corrupted += u64::from(echo != flow.record(sequence));
        ledger.udp_reordered += u64::from(sequence < books.next_expected);
        ledger.note_gap(books.last_echo, flow.interval_ms());
        books.next_expected = books.next_expected.max(sequence + 1);
        books.received += 1;
        books.last_echo = Instant::now();
    }
}
