//! `netosync run` under way.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;

use crate::support::{Machine, PATIENCE};

/// The service under way, with what it logs line by line.
pub struct Service {
    process: Child,
    log: mpsc::Receiver<String>,
}

impl Service {
    pub fn start(machine: &Machine, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = machine.std_command();
        command.arg("run").args(arguments).env("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true");
        command.envs(settings.iter().copied()).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let stderr = process.stderr.take().expect("it is piped");
        let (line, log) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|text| line.send(text))
        });
        Self { process, log }
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let arguments = ["-c", "kill -\"$0\" \"$1\"", name, &self.process.id().to_string()];
        let status = std::process::Command::new("sh").args(arguments).status();
        assert!(status.expect("every system has sh").success());
    }

    /// Waits for a line with these words and gives it.
    pub fn says(&self, words: &str) -> String {
        let mut said = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if line.contains(words) {
                return line;
            }
            said.push(line);
        }
        panic!("never said {words:?}, but: {said:#?}");
    }

    /// Everything it says from now on to its end.
    pub fn rest(self) -> String {
        let mut rest = String::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            rest.push_str(&line);
            rest.push('\n');
        }
        rest
    }

    /// Waits for the end.
    pub fn ended(mut self) -> Option<i32> {
        let mut rest = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {rest:#?}"),
            }
        }
        let status = self.process.wait().expect("our own child");
        assert!(rest.iter().all(|line| !line.contains("panicked")), "{rest:#?}");
        status.code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.process.kill();
    }
}
