//! A blocking HTTP/1.1 client with JSON bodies and keep-alive, for use across namespaces: the socket
//! is opened on a thread inside the client's host and stays bound to it.
//!
//! Never follows redirects, never retries: tests want to see what the server did.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use serde_json::Value;

use crate::{LabError, Namespaces};

/// Longest wait for a connection, an answer, or the next part of it, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one server, seen from one host.
#[derive(Debug)]
pub struct Api {
    from: Namespaces,
    server: SocketAddr,
    headers: Vec<(String, String)>,
    timeout: Duration,
    connection: Option<BufReader<TcpStream>>,
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when there is none.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&self.body) }
    }
}

impl Api {
    pub fn new(from: &Namespaces, server: SocketAddr) -> Self {
        Self { from: from.clone(), server, headers: Vec::new(), timeout: TIMEOUT, connection: None }
    }

    /// Sends a header with every request (`X-Auth-Token`).
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits that long for a server that is known to take its time.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub fn get(&mut self, path: &str) -> Result<(u16, Value), LabError> {
        self.call("GET", path, None)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Result<(u16, Value), LabError> {
        self.call("POST", path, Some(body))
    }

    pub fn put(&mut self, path: &str, body: &Value) -> Result<(u16, Value), LabError> {
        self.call("PUT", path, Some(body))
    }

    pub fn delete(&mut self, path: &str) -> Result<(u16, Value), LabError> {
        self.call("DELETE", path, None)
    }

    /// A call that must answer `expected`; anything else is an error with the server's words.
    pub fn expect(
        &mut self,
        expected: u16,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, LabError> {
        let (status, answer) = self.call(method, path, body)?;
        if status == expected {
            return Ok(answer);
        }
        let (method, path) = (method.to_owned(), path.to_owned());
        let (expected, body) = (expected.to_string(), answer.to_string());
        Err(LabError::Http { method, path, expected, status, body })
    }

    fn call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), LabError> {
        let response = self.request(method, path, body.map(Value::to_string).as_deref())?;
        let json = response.json().unwrap_or_else(|_| Value::String(response.text()));
        Ok((response.status, json))
    }

    /// One request and its whole answer.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Response, LabError> {
        // The server may have closed an idle connection; only then is a fresh one tried.
        let usable = self.connection.take().filter(is_idle);
        let mut connection = match usable {
            Some(connection) => connection,
            None => BufReader::new(self.connect()?),
        };
        let what = format!("{method} http://{}{path}", self.server);
        let text = self.request_text(method, path, body.unwrap_or_default());
        connection.get_mut().write_all(text.as_bytes()).map_err(LabError::io(what.clone()))?;
        let response = read_response(&mut connection, method, &what)?;
        if response.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            self.connection = Some(connection);
        }
        Ok(response)
    }

    fn connect(&self) -> Result<TcpStream, LabError> {
        let context = || LabError::io(format!("connect to {}", self.server));
        let (server, timeout) = (self.server, self.timeout);
        let stream = self
            .from
            .thread(move || TcpStream::connect_timeout(&server, timeout))?
            .map_err(context())?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(timeout)))
            .and_then(|()| stream.set_write_timeout(Some(timeout)))
            .map_err(context())?;
        Ok(stream)
    }

    fn request_text(&self, method: &str, path: &str, body: &str) -> String {
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\n",
            self.server
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str("content-type: application/json\r\n");
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        text
    }
}

/// Polls until a server answers `GET path` at all; how long it took.
pub fn wait_until_answered(
    from: &Namespaces,
    server: SocketAddr,
    path: &str,
    limit: Duration,
) -> Result<Duration, LabError> {
    let start = Instant::now();
    loop {
        let error = match Api::new(from, server).request("GET", path, None) {
            Ok(_) => return Ok(start.elapsed()),
            Err(error) => error,
        };
        if start.elapsed() > limit {
            let what = format!("an answer from http://{server}{path}");
            let detail = format!(": {error}");
            return Err(LabError::Timeout { what, waited_ms: limit.as_millis(), detail });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether nothing, not even the end, has arrived on a kept connection.
fn is_idle(connection: &BufReader<TcpStream>) -> bool {
    let look = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    recv(connection.get_ref().as_raw_fd(), &mut [0], look) == Err(Errno::EAGAIN)
}

fn read_response(
    from: &mut BufReader<TcpStream>,
    method: &str,
    request: &str,
) -> Result<Response, LabError> {
    let malformed = |reason: &str| LabError::Malformed {
        request: request.to_owned(),
        reason: reason.to_owned(),
    };
    let first = read_line(from, request)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status: u16 = status.ok_or_else(|| malformed(&format!("status line '{first}'")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from, request)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if method == "HEAD" || status == 204 || status == 304 {
        return Ok(response);
    }
    let length = response.header("content-length").map(str::to_owned);
    let chunked = response.header("transfer-encoding") == Some("chunked");
    response.body = match length {
        Some(length) => {
            let length = length.parse().map_err(|_| malformed("content-length"))?;
            read_exactly(from, length, request)?
        }
        None if chunked => read_chunks(from, request)?,
        None => {
            let mut body = Vec::new();
            from.read_to_end(&mut body).map_err(LabError::io(request))?;
            response.headers.push(("connection".to_owned(), "close".to_owned()));
            body
        }
    };
    Ok(response)
}

fn read_chunks(from: &mut BufReader<TcpStream>, request: &str) -> Result<Vec<u8>, LabError> {
    let mut body = Vec::new();
    loop {
        let line = read_line(from, request)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| LabError::Malformed {
            request: request.to_owned(),
            reason: format!("chunk size '{line}'"),
        })?;
        body.extend(read_exactly(from, size, request)?);
        read_line(from, request)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(
    from: &mut BufReader<TcpStream>,
    length: usize,
    request: &str,
) -> Result<Vec<u8>, LabError> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).map_err(LabError::io(request))?;
    Ok(bytes)
}

fn read_line(from: &mut BufReader<TcpStream>, request: &str) -> Result<String, LabError> {
    let mut line = String::new();
    let read = from.read_line(&mut line).map_err(LabError::io(request))?;
    if read == 0 {
        let reason = "the connection was closed before the answer was whole".to_owned();
        return Err(LabError::Malformed { request: request.to_owned(), reason });
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
