//! What is beyond a limit, and how it is answered.

use super::attacker::CREDENTIALS;

const MIB: usize = 1 << 20;

fn get(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{CREDENTIALS}{headers}\r\n")
        .into_bytes()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{CREDENTIALS}{headers}\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\n{CREDENTIALS}transfer-encoding: chunked\r\n\r\n"
    );
    let mut request = head.into_bytes();
    for part in body.chunks(64 << 10) {
        request.extend(format!("{:x}\r\n", part.len()).into_bytes());
        request.extend(part);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

fn query(parameter: &str, count: usize) -> Vec<u8> {
    get(&format!("/v2.0/networks?{}", parameter.repeat(count)), "")
}

/// As many networks, none of which is refused for what it says.
fn bulk(count: usize) -> Vec<u8> {
    let networks = vec!["{\"name\": \"n\"}"; count].join(", ");
    post("", format!("{{\"networks\": [{networks}]}}").as_bytes())
}

fn every_key() -> Vec<u8> {
    let keys = [
        "id",
        "name",
        "status",
        "admin_state_up",
        "mtu",
        "project_id",
        "created_at",
        "updated_at",
        "revision_number",
    ];
    let sort: String = keys.iter().map(|key| format!("sort_key={key}&sort_dir=desc&")).collect();
    get(&format!("/v2.0/networks?{sort}limit=1000000000"), "")
}

/// Nulls, which deflate makes a thousandth of: what a server that inflates would hold.
fn bomb() -> Vec<u8> {
    // The head of a gzip member and one stored block: whether it inflates does not matter here, as
    // nobody may try.
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0xff, 0xff, 0, 0];
    gzip.resize(gzip.len() + 0xffff, 0);
    post("content-type: application/json\r\ncontent-encoding: gzip\r\n", &gzip)
}

/// What it is, the request, the status.
pub(super) fn table() -> Vec<(&'static str, Vec<u8>, u16)> {
    let many: String = (0..1000).map(|n| format!("x-{n}: a\r\n")).collect();
    let deep = format!("{{\"network\": {{\"name\": {}{}}}}}", "[".repeat(1000), "]".repeat(1000));
    let wide = |count: usize| {
        let objects = "{\"a\":{}},".repeat(count / 2);
        post("", format!("{{\"network\": {{\"name\": [{objects}1]}}}}").as_bytes())
    };
    vec![
        ("a body over 1 MiB", post("", &vec![b' '; MIB + 1]), 413),
        ("a chunked body over 1 MiB", chunked(&vec![b' '; MIB + 1]), 413),
        ("a header over 32 KiB", get("/", &format!("x: {}\r\n", "a".repeat(33 << 10))), 431),
        ("1,000 headers", get("/", &many), 431),
        ("JSON of 1,000 levels", post("", deep.as_bytes()), 400),
        ("JSON of 200,000 objects", wide(200_000), 413),
        ("JSON of 29,000 objects", wide(29_000), 400),
        ("a bulk of 10,001", bulk(10_001), 413),
        ("a bulk of 10,000, with a quota of 100", bulk(10_000), 409),
        ("10,000 times fields=", query("fields=name&", 10_000), 414),
        ("100,000 filters", query("a=1&", 100_000), 431),
        ("4,000 filters", query("name=a&", 4000), 400),
        ("sorted by every key, limit=10^9", every_key(), 200),
        ("a compressed body", bomb(), 400),
        ("a wrong password", with_wrong_password(get("/v2.0/networks", "")), 401),
    ]
}

/// "alice:wrong" in the place of her own.
fn with_wrong_password(request: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&request);
    text.replace("YWxpY2U6YWxpY2U=", "YWxpY2U6d3Jvbmc=").into_bytes()
}
