//! Where a listening port leads: to one forward, or to one of several by the name that a TLS client
//! asks for.

use std::sync::Arc;

use crate::{live::Live, server_name::ByName};

#[derive(Clone, Debug)]
pub(crate) enum Route {
    One(Arc<Live>),
    Named(Arc<Named>),
}

/// Forwards that share a port.
#[derive(Debug)]
pub(crate) struct Named {
    lives: Vec<Arc<Live>>,
    table: ByName<Arc<Live>>,
}

impl Route {
    /// `lives` are one forward, or several with names that no two have in common.
    pub(crate) fn new(lives: Vec<Arc<Live>>) -> Option<Self> {
        let first = lives.first()?;
        if first.forward.sni.is_empty() {
            return Some(Self::One(Arc::clone(first)));
        }
        let entries = lives.iter().flat_map(|live| {
            live.forward.sni.iter().map(move |name| (name.clone(), Arc::clone(live)))
        });
        let table = ByName::new(entries);
        Some(Self::Named(Arc::new(Named { lives, table })))
    }

    /// The one forward, or the first of several: what they agree in can be asked of it.
    pub(crate) fn first(&self) -> &Arc<Live> {
        match self {
            Self::One(live) => live,
            Self::Named(named) => &named.lives[0],
        }
    }

    pub(crate) fn lives(&self) -> &[Arc<Live>] {
        match self {
            Self::One(live) => std::slice::from_ref(live),
            Self::Named(named) => &named.lives,
        }
    }

    pub(crate) fn by_name(&self, name: Option<&str>) -> Option<&Arc<Live>> {
        match self {
            Self::One(live) => Some(live),
            Self::Named(named) => named.table.get(name),
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let (own, other) = (self.lives(), other.lives());
        own.len() == other.len() && own.iter().zip(other).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}
