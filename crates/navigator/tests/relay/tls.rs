//! `navigator relay tls`, and clients that are not Rust: curl and openssl.

use std::{fs, io::Write as _, net::TcpListener, path::Path, process::Stdio, thread};

use crate::{
    authority::{Authority, Files, secure, shown},
    support::*,
};

/// Answers each request, as a web server that closes after each answer.
fn web(port: u16, body: &'static str) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if std::io::Read::read(&mut stream, &mut byte).unwrap_or(0) == 0 {
                    break;
                }
                asked.push(byte[0]);
            }
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
}

/// A file of one forward that ends TLS on port 4001.
fn ends_tls(files: &Files) -> String {
    format!(
        "[forward.web]\nlisten = ':4001'\nconnect = '127.0.0.1:1001'\ntls = {{ {} }}\n",
        files.toml()
    )
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn curl_and_openssl_are_served_by_the_command_line_alone() {
    own_network();
    let authority = Authority::new();
    let (files, ca) = (authority.issue("www.example"), authority.file());
    web(1001, "inside");
    let (certificate, key) = (text(&files.certificate), text(&files.key));
    let arguments =
        ["tls", "127.0.0.1:4001", "127.0.0.1:1001", "--certificate", certificate, "--key", key];
    let program = Program::start(&mut command(&arguments));
    program.says("ready");
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sS", "--resolve", "www.example:4001:127.0.0.1", "--cacert", text(&ca)]);
    assert_eq!(output(curl.arg("https://www.example:4001/")), (0, "inside".to_owned()));
    for version in ["-tls1_2", "-tls1_3"] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["s_client", "-connect", "127.0.0.1:4001", "-servername", "www.example"]);
        openssl.args(["-CAfile", text(&ca), "-verify_return_error", "-quiet", version]);
        let mut child =
            openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let child = child.as_mut().expect("install openssl");
        child.stdin.as_mut().unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut heard = String::new();
        std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut heard).unwrap();
        assert!(heard.ends_with("inside"), "{version}: {heard}");
        child.wait().unwrap();
    }
    // A new certificate is found by itself, also without a file of forwards.
    let before = files.certificate.clone();
    let old = fs::read(&before).unwrap();
    authority.issue("www.example");
    program.says("ready");
    assert_ne!(fs::read(&before).unwrap(), old);
    let client = secure(4001, "www.example", &authority.client(&[])).unwrap();
    assert_eq!(shown(&client), files.der());
}

#[test]
fn an_unreadable_certificate_is_one_line_and_exit_code_2() {
    own_network();
    let authority = Authority::new();
    let files = authority.issue("a.example");
    let file = authority.path().join("forwards.toml");
    write(&file, &ends_tls(&files));
    fs::remove_file(&files.key).unwrap();
    let (code, said) = output(&mut command(&["--config", text(&file)]));
    let expected = format!(
        "navigator: forward.web: tls.key: {}: No such file or directory (os error 2)\n",
        files.key.display()
    );
    assert_eq!((code, said), (2, expected));
}

#[test]
fn a_certificate_that_is_broken_while_the_relay_runs_leaves_the_old_one_in_force() {
    own_network();
    let authority = Authority::new();
    let files = authority.issue("a.example");
    let file = authority.path().join("forwards.toml");
    write(&file, &ends_tls(&files));
    says(1001, "one");
    let program = Program::start(&mut command(&["--config", text(&file)]));
    program.says("ready");
    let before = files.der();
    write(&files.certificate, "nothing");
    let line = program.says("ERROR");
    assert!(line.contains("forward.web: tls.certificate: "), "{line}");
    program.says("the old forwards stay in force");
    let show = || shown(&secure(4001, "a.example", &authority.client(&[])).unwrap());
    assert_eq!(show(), before);
    // Mended, it is taken without being told.
    let mended = authority.issue("a.example").der();
    program.says("ready");
    assert_eq!(show(), mended);
}
