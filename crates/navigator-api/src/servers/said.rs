//! A notice: the id of the server that says it, what kind it is, and on lines of their own what moved.

use navigator_bus::Wakeup;
use navigator_model::Revision;
use navigator_store::LONGEST_NOTICE;
use uuid::Uuid;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing but that the server is there.
    Here,
    Moved(Vec<Wakeup>),
    /// It has not told all that moved.
    Lost,
}

impl Said {
    /// As many notices as it takes.
    pub(super) fn write(&self, server: Uuid) -> Vec<String> {
        let wakeups = match self {
            Self::Here => return vec![format!("{server} here")],
            Self::Lost => return vec![format!("{server} lost")],
            Self::Moved(wakeups) => wakeups,
        };
        let begin = || format!("{server} moved");
        let mut notices = vec![begin()];
        for Wakeup { scope, revision } in wakeups {
            let line = format!("\n{scope} {}", revision.0);
            if notices.last().is_some_and(|last| last.len() + line.len() > LONGEST_NOTICE) {
                notices.push(begin());
            }
            if let Some(last) = notices.last_mut() {
                last.push_str(&line);
            }
        }
        notices
    }

    pub(super) fn read(text: &str) -> Option<(Uuid, Self)> {
        let (first, moved) = text.split_once('\n').unwrap_or((text, ""));
        let (server, kind) = first.split_once(' ')?;
        let said = match kind {
            "here" => Self::Here,
            "lost" => Self::Lost,
            "moved" => Self::Moved(moved.lines().map(wakeup).collect::<Option<_>>()?),
            _ => return None,
        };
        Some((server.parse().ok()?, said))
    }
}

/// A host's name may have spaces.
fn wakeup(line: &str) -> Option<Wakeup> {
    let (scope, revision) = line.rsplit_once(' ')?;
    Some(Wakeup { scope: scope.parse().ok()?, revision: Revision(revision.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use navigator_model::{RouterId, Scope};

    use super::*;

    #[test]
    fn what_moved_is_read_as_it_was_written_in_as_few_notices_as_fit() {
        let server = Uuid::new_v4();
        let moved = |number: u64| {
            let scope = match number % 2 {
                0 => Scope::Router(RouterId(Uuid::from_u128(number.into()))),
                _ => Scope::Host(format!("network node {number}").as_str().into()),
            };
            Wakeup { scope, revision: Revision(number) }
        };
        let all: Vec<_> = (0..1000).map(moved).collect();
        let notices = Said::Moved(all.clone()).write(server);
        assert!(notices.iter().all(|notice| notice.len() <= LONGEST_NOTICE));
        assert!(notices.len() < 8, "{}", notices.len());
        let read = notices.iter().flat_map(|notice| match Said::read(notice) {
            Some((from, Said::Moved(wakeups))) if from == server => wakeups,
            other => panic!("{other:?}"),
        });
        assert_eq!(read.collect::<Vec<_>>(), all);
    }

    #[test]
    fn what_no_server_says_is_not_understood() {
        let server = Uuid::new_v4();
        assert_eq!(Said::read(&Said::Lost.write(server)[0]), Some((server, Said::Lost)));
        for text in
            ["", "here", "x here", &format!("{server} gone"), &format!("{server} moved\nx 1")]
        {
            assert_eq!(Said::read(text), None, "{text}");
        }
    }
}
