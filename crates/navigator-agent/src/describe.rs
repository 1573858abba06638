//! Plans in words, for the log and for `navigator agent plan`.

use std::fmt;

use navigator_model::ObjectKey;
use navigator_state::{
    Action, FlowMatch, LinkKind, Plan, Problem, Step,
    nft::{Element, ElementChange},
    route::Route,
};

/// Longer lists are cut, with their length.
const LIST_LIMIT: usize = 20;

/// One step as one line.
pub struct Described<'a>(pub &'a Step);

/// What a reconcile of a scope would do.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopePlan {
    pub plan: Plan,
    pub problems: Vec<Problem>,
}

impl fmt::Display for ScopePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} steps", self.plan.scope, self.plan.steps.len())?;
        for step in &self.plan.steps {
            writeln!(f, "  {}", Described(step))?;
        }
        for Problem { object, reason } in self.problems.iter().chain(&self.plan.refused) {
            writeln!(f, "  cannot: {object}: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&self.0.action, f)?;
        self.0.object.map_or(Ok(()), |object| for_object(object, f))
    }
}

fn for_object(object: ObjectKey, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, " for {object}")
}

fn describe(action: &Action, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Action::*;
    match action {
        CreateNamespace(namespace) => write!(f, "create namespace {namespace}"),
        DeleteNamespace(namespace) => write!(f, "delete namespace {namespace}"),
        CreateLink { namespace, name, link } => match &link.kind {
            LinkKind::Veth { peer } => {
                write!(f, "create {name} in {namespace}, paired with {peer}")
            }
            LinkKind::Bridge => write!(f, "create bridge {name} in {namespace}"),
            LinkKind::Vxlan { vni, .. } => write!(f, "create {name} in {namespace}, vni {vni}"),
            LinkKind::Other(kind) => write!(f, "create {kind} {name} in {namespace}"),
        },
        DeleteLink { namespace, name } => write!(f, "delete {name} in {namespace}"),
        SetMac { namespace, name, mac_address } => {
            write!(f, "set MAC address of {name} in {namespace} to {mac_address}")
        }
        SetMtu { namespace, name, mtu } => write!(f, "set MTU of {name} in {namespace} to {mtu}"),
        SetUp { namespace, name, up: true } => write!(f, "set {name} in {namespace} up"),
        SetUp { namespace, name, up: false } => write!(f, "set {name} in {namespace} down"),
        SetMaster { namespace, name, master: Some(master) } => {
            write!(f, "put {name} in {namespace} into {master}")
        }
        SetMaster { namespace, name, master: None } => {
            write!(f, "take {name} in {namespace} out of its bridge")
        }
        AddAddress { namespace, name, address } => {
            write!(f, "add {address} to {name} in {namespace}")
        }
        DeleteAddress { namespace, name, address } => {
            write!(f, "delete {address} from {name} in {namespace}")
        }
        other => describe_rest(other, f),
    }
}

fn describe_rest(action: &Action, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Action::*;
    match action {
        AddRoute { namespace, route } => write!(f, "add {} in {namespace}", Way(route)),
        DeleteRoute { namespace, route } => write!(f, "delete {} in {namespace}", Way(route)),
        AddFdb { namespace, entry } => write!(
            f,
            "reach {} by {} of {} in {namespace}",
            entry.mac_address, entry.remote, entry.link
        ),
        DeleteFdb { namespace, entry } => write!(
            f,
            "no longer reach {} by {} of {} in {namespace}",
            entry.mac_address, entry.remote, entry.link
        ),
        SetSysctl { namespace, key, value } => write!(f, "set {key} in {namespace} to {value}"),
        ReplaceSkeleton { namespace, recreate, elements, .. } => {
            let how = if *recreate { "make the rules anew" } else { "replace the rules" };
            write!(f, "{how} in {namespace}{}", List(elements))
        }
        DeleteTable { namespace } => write!(f, "delete the rules in {namespace}"),
        ChangeElements { namespace, changes } => {
            write!(f, "change elements in {namespace}{}", List(changes))
        }
        FlushFlows { namespace, flows } => write!(f, "end flows in {namespace}{}", Flows(flows)),
        Announce { namespace, name, address } => {
            write!(f, "announce {address} on {name} in {namespace}")
        }
        WriteFile { path, content } => {
            write!(f, "write {} ({} bytes)", path.display(), content.len())
        }
        DeleteFile { path } => write!(f, "delete {}", path.display()),
        StartProcess { name, process } => {
            write!(f, "start {name} in {}: {}", process.namespace, process.argv.join(" "))
        }
        ReloadProcess { name, .. } => write!(f, "reload {name}"),
        StopProcess { name, .. } => write!(f, "stop {name}"),
        // The other function has the rest.
        _ => Ok(()),
    }
}

struct Way<'a>(&'a Route);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route to {}", self.0.destination)?;
        if let Some(via) = self.0.via {
            write!(f, " via {via}")?;
        }
        self.0.link.as_ref().map_or(Ok(()), |link| write!(f, " on {link}"))
    }
}

struct List<'a>(&'a [ElementChange]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, change) in self.0.iter().take(LIST_LIMIT).enumerate() {
            let ElementChange { set, key, remove, add, .. } = change;
            let sign = match (remove, add) {
                (Some(_), Some(_)) => "~",
                (Some(_), None) => "-",
                _ => "+",
            };
            write!(f, "{} {sign}{set} {key:?}", if n == 0 { ":" } else { "," })?;
            if let Some(Element { data: Some(data), .. }) = add {
                write!(f, " to {data:?}")?;
            }
        }
        rest(self.0.len(), f)
    }
}

struct Flows<'a>(&'a [FlowMatch]);

impl fmt::Display for Flows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, flow) in self.0.iter().take(LIST_LIMIT).enumerate() {
            f.write_str(if n == 0 { ": " } else { ", " })?;
            match flow {
                FlowMatch::Destination { address, protocol, ports, .. } => {
                    write!(f, "{protocol} {address} {ports}")?;
                }
                FlowMatch::Address { address, .. } => write!(f, "{address}")?,
            }
        }
        rest(self.0.len(), f)
    }
}

fn rest(length: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match length.checked_sub(LIST_LIMIT) {
        None | Some(0) => Ok(()),
        Some(more) => write!(f, " and {more} more"),
    }
}
