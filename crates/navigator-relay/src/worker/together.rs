//! The end of a turn: what its connections have gathered is sent by one call, and those that have ended are
//! closed by another.

use std::os::fd::BorrowedFd;

use super::Worker;
use crate::token::Token;

impl Worker {
    pub(super) fn send_together(&mut self) {
        let waiting = self.resources.together.end();
        let outgoing = |token: Token| {
            let connection = self.connections.get(token.key())?;
            Some((token, connection.outgoing(token.side())?))
        };
        let (tokens, sends): (Vec<Token>, Vec<(BorrowedFd<'_>, &[u8])>) =
            waiting.into_iter().filter_map(outgoing).unzip();
        let results = self.resources.together.send(&sends);
        for (token, result) in tokens.into_iter().zip(results) {
            if let Some(connection) = self.connections.get_mut(token.key()) {
                let next = connection.sent(token, result, &mut self.resources);
                self.go_on(token.key(), next);
            }
        }
        if self.resources.together.close() {
            self.resume_accepting();
        }
    }
}
