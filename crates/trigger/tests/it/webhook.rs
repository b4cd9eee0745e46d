//! Calls over HTTP, to a real server on the loopback interface.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac as _};
use marsh_trigger::{Called, Hook, Listener, MAX_BODY, NotTaken, Scheme, listen};
use marsh_vault::Secret;
use serde_json::json;
use sha2::Sha256;

const SECRET: &str = "s3cret";

struct Server {
    listener: Listener,
    called: Arc<Mutex<Vec<Called>>>,
}

/// Takes two calls and is full then.
fn server(scheme: Scheme) -> Server {
    let called: Arc<Mutex<Vec<Called>>> = Arc::default();
    let taken = Arc::clone(&called);
    let hook = Hook { route: "/hook".into(), workflow: "build".into(), secret: Secret::new(SECRET), scheme };
    let take = move |call: Called| {
        let mut taken = taken.lock().unwrap();
        if taken.len() == 2 {
            return Err(NotTaken::Full);
        }
        taken.push(call);
        Ok(())
    };
    let listener = listen("127.0.0.1:0".parse().unwrap(), vec![hook], Arc::new(take)).unwrap();
    Server { listener, called }
}

impl Server {
    fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(format!("http://{}{path}", self.listener.addr));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

fn signed(pieces: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    pieces.iter().for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_signed_call_is_handed_on_without_what_signed_it() {
    let server = server(Scheme::Github);
    let body = br#"{"ref": "main"}"#;
    let signature = format!("sha256={}", signed(&[body]));
    let headers = [
        ("X-Hub-Signature-256", signature.as_str()),
        ("Authorization", "Bearer x"),
        ("X-GitHub-Event", "push"),
    ];
    assert_eq!(server.post("/hook", &headers, body), (202, r#"{"status":"queued"}"#.to_owned()));
    let called = server.called.lock().unwrap()[0].clone();
    assert_eq!(called.workflow, "build");
    assert_eq!(
        (&called.webhook["body"], &called.webhook["route"]),
        (&json!({"ref": "main"}), &json!("/hook"))
    );
    let seen = called.webhook["headers"].as_object().unwrap();
    assert_eq!(seen["x-github-event"], "push");
    assert!(!seen.contains_key("x-hub-signature-256") && !seen.contains_key("authorization"), "{seen:?}");
}

#[test]
fn nothing_else_is_handed_on() {
    let server = server(Scheme::Github);
    let good = format!("sha256={}", signed(&[b"{}"]));
    let sign = |value: &'static str| [("X-Hub-Signature-256", value)];
    assert_eq!(server.post("/hook", &[], b"{}").0, 401);
    assert_eq!(server.post("/hook", &sign("sha256=00"), b"{}").0, 401);
    assert_eq!(server.post("/hook", &[("X-Hub-Signature-256", &good)], b"{ }").0, 401);
    assert_eq!(server.post("/other", &[("X-Hub-Signature-256", &good)], b"{}").0, 404);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |path: &str| {
        agent.get(format!("http://{}{path}", server.listener.addr)).call().unwrap().status().as_u16()
    };
    assert_eq!((get("/hook"), get("/health")), (405, 200));
    assert!(server.called.lock().unwrap().is_empty());
}

#[test]
fn a_long_body_and_a_full_queue_are_refused() {
    let server = server(Scheme::Linear);
    let long = vec![b'x'; MAX_BODY];
    let signature = signed(&[&long]);
    assert_eq!(server.post("/hook", &[("Linear-Signature", &signature)], &long).0, 202);
    let long = vec![b'x'; MAX_BODY + 1];
    let signature = signed(&[&long]);
    assert_eq!(server.post("/hook", &[("Linear-Signature", &signature)], &long).0, 413);
    let signature = signed(&[b"text"]);
    assert_eq!(server.post("/hook", &[("Linear-Signature", &signature)], b"text").0, 202);
    assert_eq!(server.called.lock().unwrap()[1].webhook["body"], "text", "a body that is not JSON is text");
    assert_eq!(server.post("/hook", &[("Linear-Signature", &signature)], b"text").0, 503);
}

#[test]
fn each_scheme_signs_in_its_own_way() {
    let now = jiff::Timestamp::now().as_second();
    let body = b"payload=1";
    for (age, status) in [(0, 202), (600, 401), (-600, 401)] {
        let time = (now - age).to_string();
        let slack = server(Scheme::Slack);
        let signature = format!("v0={}", signed(&[b"v0:", time.as_bytes(), b":", body]));
        let headers =
            [("X-Slack-Signature", signature.as_str()), ("X-Slack-Request-Timestamp", time.as_str())];
        assert_eq!(slack.post("/hook", &headers, body).0, status, "slack {age}");
        let stripe = server(Scheme::Stripe);
        let good = signed(&[time.as_bytes(), b".", body]);
        let signature = format!("t={time},v1=00,v1={good},v0=11");
        assert_eq!(stripe.post("/hook", &[("Stripe-Signature", &signature)], body).0, status, "stripe {age}");
    }
    let generic = server(Scheme::Generic { header: "X-Sig".into(), prefix: "v1:".into() });
    let signature = format!("v1:{}", signed(&[body]));
    assert_eq!(generic.post("/hook", &[("x-sig", &signature)], body).0, 202);
    assert_eq!(generic.post("/hook", &[("x-sig", &signature[3..])], body).0, 401);
}

/// Bodies that are not believed yet must not fill the memory, however many there are.
#[test]
fn bodies_of_all_requests_share_a_bound() {
    let server = server(Scheme::Github);
    let addr = server.listener.addr;
    let held: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(addr).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let head = format!(
                    "POST /hook HTTP/1.1\r\nHost: h\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: {MAX_BODY}\r\n\r\n"
                );
                let mut answer = [0; 12];
                // The last bytes never come.
                let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; MAX_BODY - 1]));
                let refused = sent.is_err() || stream.read_exact(&mut answer).is_ok();
                (stream, refused)
            })
        })
        .collect();
    let held: Vec<_> = held.into_iter().map(|thread| thread.join().unwrap()).collect();
    let refused = held.iter().filter(|(_, refused)| *refused).count();
    assert!((1..=4).contains(&refused), "{refused} of 8 bodies of 10 MB in 64 MB");
    drop(held);
    let signature = format!("sha256={}", signed(&[b"{}"]));
    let headers = [("X-Hub-Signature-256", signature.as_str())];
    let begun = Instant::now();
    while server.post("/hook", &headers, b"{}").0 != 202 {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
