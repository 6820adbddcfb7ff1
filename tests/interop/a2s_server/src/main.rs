// Answers A2S_INFO for the tests of the probe. What is on the wire is read and written by an
// implementation that is not ours: `wire.rs` is server/a2s/wire.rs of the crate netget-tool, put
// here by the test (tests/e2e/test_status_probe.py), never part of this repository.
//
//   a2s_server JSON      prints its port, then answers until it is killed
#[allow(dead_code)]
mod wire;

use std::net::UdpSocket;

fn main() -> anyhow::Result<()> {
    let info: serde_json::Value = serde_json::from_str(&std::env::args().nth(1).unwrap_or_default())?;
    let challenge = std::process::id() ^ 0x5eed_1234;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    println!("{}", socket.local_addr()?.port());
    let mut buffer = [0; wire::MAX_REQUEST];
    loop {
        let (size, peer) = socket.recv_from(&mut buffer)?;
        let answer = match wire::parse_request(&buffer[..size]) {
            Ok((wire::Kind::Info, Some(c))) if c == challenge => wire::encode_info(&info)?,
            Ok(_) => wire::encode_challenge(challenge),
            Err(problem) => {
                eprintln!("{problem}");
                continue;
            }
        };
        for packet in wire::packetize(&answer, 7)? {
            socket.send_to(&packet, peer)?;
        }
    }
}
