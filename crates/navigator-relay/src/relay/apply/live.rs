//! From a declaration to the forward as the workers see it: its namespaces and certificates found, and
//! whether it is the one that it was.

use std::sync::Arc;

use crate::{
    Forward,
    live::Live,
    relay::{Relay, explain},
};

impl Relay {
    /// The same value where nothing changed; the same version where connections may stay.
    pub(super) fn live(
        &mut self,
        name: &Arc<str>,
        forward: &Arc<Forward>,
    ) -> Result<Arc<Live>, Vec<String>> {
        let mut lines = Vec::new();
        let mut open = |field: &str, netns: &Option<String>| {
            let found = self.namespaces.get(netns.as_deref());
            found.map_err(|reason| lines.push(format!("forward.{name}: {field}.netns: {reason}")))
        };
        let listen_in = open("listen", &forward.listen.netns);
        let connect_in = open("connect", &forward.connect.netns);
        let (Ok(listen_in), Ok(connect_in)) = (listen_in, connect_in) else {
            return Err(lines);
        };
        // A file's name may have line ends in it.
        let of_files = |reason: String| {
            vec![format!("forward.{name}: {}", reason.replace(char::is_control, "?"))]
        };
        let accepting = self.certificates.accepting(forward).map_err(of_files)?;
        let originating = self.certificates.originating(forward).map_err(of_files)?;
        if forward.transparent {
            explain::transparent(name, forward, &connect_in).map_err(|line| vec![line])?;
        }
        let same_place = |old: &&Arc<Live>| {
            old.listen_in.inode() == listen_in.inode()
                && old.connect_in.inode() == connect_in.inode()
        };
        let old = self.forwards.get(name).filter(same_place);
        let same = |old: &&Arc<Live>| {
            old.forward == *forward
                && is_same(&old.accepting, &accepting)
                && is_same(&old.originating, &originating)
        };
        if let Some(old) = old.filter(same) {
            return Ok(Arc::clone(old));
        }
        let kept = old.filter(|old| keeps_connections(&old.forward, forward));
        let version = kept.map_or(self.next_version, |old| old.version);
        let state = self.state_of(name);
        self.next_version += 1;
        let (name, forward) = (Arc::clone(name), Arc::clone(forward));
        Ok(Arc::new(Live {
            version,
            name,
            forward,
            listen_in,
            connect_in,
            accepting,
            originating,
            state,
        }))
    }
}

fn is_same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Whether the connections of the old forward are good ones of the new one. Another certificate is for
/// those that come.
fn keeps_connections(old: &Forward, new: &Forward) -> bool {
    let leads = |forward: &Forward| {
        let Forward { listen, connect, transparent, proxies, proxy_protocol, sni, .. } =
            forward.clone();
        (listen, connect, transparent, forward.limits.sources.clone(), proxies, proxy_protocol, sni)
    };
    let tls = |forward: &Forward| (forward.tls.is_some(), forward.connect_tls.clone());
    leads(old) == leads(new) && tls(old) == tls(new)
}
