//! One TCP connection: a record, its echo, a pause, and again.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::{Flow, Ledger, RECORD, echo::is_timeout};

/// A connection whose echo takes longer is counted as broken. Generous: TCP repairs shorter holes.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(flow: &Flow) -> Ledger {
    let mut ledger = Ledger { tcp_connections: 1, ..Ledger::default() };
    let outcome = connect(flow).and_then(|mut stream| {
        flow.has_started();
        exchange(flow, &mut stream, &mut ledger)
    });
    if let Err(error) = outcome {
        flow.has_started();
        ledger.broken_connections = 1;
        ledger.first_failure = Some(error.to_string());
    }
    ledger
}

fn connect(flow: &Flow) -> io::Result<TcpStream> {
    let target = flow.target;
    let stream = flow
        .from
        .thread(move || TcpStream::connect_timeout(&target, Duration::from_secs(3)))
        .map_err(io::Error::other)??;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    Ok(stream)
}

fn exchange(flow: &Flow, stream: &mut TcpStream, ledger: &mut Ledger) -> io::Result<()> {
    let begin = Instant::now();
    let mut last_echo = begin;
    for sequence in 0.. {
        let record = flow.record(sequence);
        stream.write_all(&record)?;
        ledger.tcp_bytes += RECORD as u64;
        let mut echo = [0; RECORD];
        if let Err((missing, error)) = read_echo(stream, &mut echo) {
            ledger.tcp_bytes_lost += missing as u64;
            let (local, at_ms) = (stream.local_addr()?, begin.elapsed().as_millis());
            let text = format!("{local}: record {sequence} unanswered after {at_ms} ms: {error}");
            return Err(io::Error::new(error.kind(), text));
        }
        ledger.note_gap(last_echo, flow.interval_ms());
        last_echo = Instant::now();
        ledger.corrupted += u64::from(echo != record);
        if flow.stopped() {
            return Ok(());
        }
        std::thread::sleep(flow.interval);
    }
    Ok(())
}

/// Fills `echo`, or says how many bytes are missing and why.
fn read_echo(stream: &mut TcpStream, echo: &mut [u8]) -> Result<(), (usize, io::Error)> {
    let (start, mut filled) = (Instant::now(), 0);
    while filled < echo.len() {
        let missing = echo.len() - filled;
        match stream.read(&mut echo[filled..]) {
            Ok(0) => return Err((missing, io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => filled += read,
            Err(error) if is_timeout(&error) && start.elapsed() < PATIENCE => {}
            Err(error) => return Err((missing, error)),
        }
    }
    Ok(())
}
