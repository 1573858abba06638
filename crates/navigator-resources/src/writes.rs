//! What a decision wants written: executed by the store in order, in the transaction that loaded
//! the facts, together with the change-log entries.

use std::net::IpAddr;

use navigator_model::{L4PortRange, NetworkId, ObjectKey, PortId, Protocol, Scope};

use crate::{declaration::Declaration, refusal::Refusal, resource::Resource, row::Row};

#[derive(Clone, Debug)]
pub enum Write {
    /// A unique violation is answered with `conflict` if given, else tried again with a new seed.
    Insert {
        declaration: &'static Declaration,
        row: Row,
        conflict: Option<Refusal>,
    },
    /// All stored columns of the row with this id; bumps `revision_number` and `updated_at`.
    Update {
        declaration: &'static Declaration,
        id: String,
        row: Row,
    },
    /// Bumps a parent's `revision_number` and `updated_at` and nothing else.
    Bump {
        declaration: &'static Declaration,
        id: String,
    },
    /// Puts tags on an object and takes others away.
    Tag {
        id: String,
        add: Vec<String>,
        remove: Vec<String>,
    },
    /// Its tags go with it.
    Delete {
        declaration: &'static Declaration,
        id: String,
    },
    /// Gives back one address of a port, or all of them.
    ReleaseAddress {
        port_id: PortId,
        address: Option<IpAddr>,
    },
    ReleaseSegments {
        network_id: NetworkId,
    },
    /// One of a network's segments.
    ReleaseSegment {
        network_type: String,
        physical_network: Option<String>,
        segmentation_id: u32,
    },
    /// Takes external or internal ports so that the database refuses any overlap: one row per port
    /// in `port_claims`, unique by (holder, protocol, port). `holder` is a text such as
    /// `router/<id>` (external side) or `router/<id>/<port id>/<ip>` (internal side).
    ClaimPorts {
        holder: String,
        protocol: Protocol,
        ports: L4PortRange,
        /// Whose claim it is; released by it.
        owner: String,
        conflict: Refusal,
    },
    ReleasePorts {
        owner: String,
    },
    /// The object changed (or went): the scope's revision moves on and agents hear of it.
    Touch {
        scope: Scope,
        object: ObjectKey,
    },
    /// What the hosts serve may have changed: every host scope's revision moves on.
    TouchHosts,
}

/// An ordered list of writes.
#[derive(Clone, Debug, Default)]
pub struct Writes(pub Vec<Write>);

impl Writes {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn insert<R: Resource>(&mut self, object: &R) -> &mut Self {
        self.insert_or(object, None)
    }

    /// As `insert`, with the refusal that a unique violation means.
    pub fn insert_or<R: Resource>(&mut self, object: &R, conflict: Option<Refusal>) -> &mut Self {
        let declaration = R::declaration();
        self.push(Write::Insert { declaration, row: object.to_row(), conflict })
    }

    pub fn update<R: Resource>(&mut self, object: &R) -> &mut Self {
        self.push(Write::Update {
            declaration: R::declaration(),
            id: object.id(),
            row: object.to_row(),
        })
    }

    pub fn bump<R: Resource>(&mut self, id: impl ToString) -> &mut Self {
        self.push(Write::Bump { declaration: R::declaration(), id: id.to_string() })
    }

    pub fn delete<R: Resource>(&mut self, id: impl ToString) -> &mut Self {
        self.push(Write::Delete { declaration: R::declaration(), id: id.to_string() })
    }

    pub fn touch(&mut self, scope: Scope, object: ObjectKey) -> &mut Self {
        self.push(Write::Touch { scope, object })
    }

    pub fn push(&mut self, write: Write) -> &mut Self {
        self.0.push(write);
        self
    }

    pub fn append(&mut self, mut other: Self) -> &mut Self {
        self.0.append(&mut other.0);
        self
    }
}
