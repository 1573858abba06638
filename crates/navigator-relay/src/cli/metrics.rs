//! Counters over HTTP, on an address of this host or a unix socket: both sides of it.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    str::FromStr,
    thread,
    time::Duration,
};

use socket2::SockRef;

/// Who asks has this long for its question and for taking the answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(SocketAddr),
    Path(PathBuf),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self::Path(path.into()));
        }
        let wrong = |_| format!("metrics: '{text}' is neither ADDRESS:PORT nor unix:/PATH");
        let address: SocketAddr = text.parse().map_err(wrong)?;
        if !address.ip().is_loopback() {
            return Err(format!("metrics: {} is not on loopback", address.ip()));
        }
        Ok(Self::Address(address))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Path(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Place {
    /// Asks a running relay.
    pub(super) fn fetch(&self) -> io::Result<String> {
        let mut stream = self.connect()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
            _ => Err(io::Error::other("whoever answers there is no relay")),
        }
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Address(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                Ok(Box::new(patient(stream)?))
            }
            Self::Path(path) => Ok(Box::new(patient(UnixStream::connect(path)?)?)),
        }
    }
}

/// Where a running relay is asked.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    pub(super) fn bind(place: &Place) -> io::Result<Self> {
        let listener = match place {
            Place::Address(address) => Self::Tcp(TcpListener::bind(address)?),
            Place::Path(path) => {
                // One that nobody answers at is left over.
                if UnixStream::connect(path).is_err() {
                    let _ = fs::remove_file(path);
                }
                Self::Unix(UnixListener::bind(path)?, path.clone())
            }
        };
        match &listener {
            Self::Tcp(socket) => socket.set_nonblocking(true)?,
            Self::Unix(socket, _) => socket.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    /// Takes one question and answers it on a thread of its own, with what `text` says now.
    pub(super) fn answer(&self, text: impl FnOnce() -> String) {
        let Ok(stream) = self.accept() else {
            return;
        };
        let text = text();
        let thread = thread::Builder::new().name("metrics".into());
        let _ = thread.spawn(move || converse(stream, &text));
    }

    fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(socket) => Box::new(patient(socket.accept()?.0)?),
            Self::Unix(socket, _) => Box::new(patient(socket.accept()?.0)?),
        })
    }
}

/// Neither side waits longer for the other.
fn patient<S: AsFd>(stream: S) -> io::Result<S> {
    let socket = SockRef::from(&stream);
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket, _) => socket.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

fn converse(mut stream: Box<dyn Stream>, text: &str) -> Option<()> {
    let (mut asked, mut buffer) = (Vec::new(), [0; 1024]);
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") && asked.len() < 8192 {
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            n => asked.extend_from_slice(&buffer[..n]),
        }
    }
    let (status, body) = match asked.starts_with(b"GET /metrics ") {
        true => ("200 OK", text),
        false => ("404 Not Found", "only /metrics is here\n"),
    };
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
