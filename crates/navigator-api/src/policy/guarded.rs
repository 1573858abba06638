//! Routes with the rules that decide on them.

use axum::{
    Extension, Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::MethodRouter,
};
use navigator_resources::{Caller, Refusal};

use super::Policy;
use crate::{fault::Fault, state::ApiState};

/// A method of a route, and the rule that decides on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardedRoute {
    pub method: &'static str,
    /// With `{id}` and the like where ids stand, words joined by `_`.
    pub path: String,
    /// `None`: everybody with a token.
    pub rule: Option<String>,
}

/// Routes under `/v2.0`. There is no way to add one without saying its rules.
#[derive(Default)]
pub(crate) struct Guarded {
    routes: Router<ApiState>,
    known: Vec<GuardedRoute>,
}

/// Routes on which rules decide that do not exist: nobody could use them, or worse, everybody.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("routes without a policy rule: {}", .0.join(", "))]
pub struct UnregisteredRules(pub Vec<String>);

impl Guarded {
    /// `rules` names each method of `methods` with its rule. The handler asks it.
    pub(crate) fn route<S: Into<String>>(
        mut self,
        path: &str,
        rules: impl IntoIterator<Item = (&'static str, S)>,
        methods: MethodRouter<ApiState>,
    ) -> Self {
        self.known.extend(rules.into_iter().map(|(method, rule)| GuardedRoute {
            method,
            path: path.to_owned(),
            rule: Some(rule.into()),
        }));
        self.routes = self.routes.route(path, methods.route_layer(from_fn(in_project)));
        self
    }

    /// Documents that say nothing about any project; everybody with a token may GET them.
    pub(crate) fn open(mut self, path: &str, methods: MethodRouter<ApiState>) -> Self {
        self.known.push(GuardedRoute { method: "GET", path: path.to_owned(), rule: None });
        self.routes = self.routes.route(path, methods);
        self
    }

    /// What was mounted.
    pub(crate) fn into_known(self) -> Vec<GuardedRoute> {
        self.known
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.known.extend(other.known);
        self.routes = self.routes.merge(other.routes);
        self
    }

    /// The routes, if every rule exists.
    pub(crate) fn under(self, policy: &Policy) -> Result<Router<ApiState>, UnregisteredRules> {
        let rules = self.known.iter().filter_map(|known| Some((&known.path, known.rule.as_ref()?)));
        let unknown = rules.filter(|(_, rule)| policy.rules().get(rule).is_none());
        let unknown: Vec<_> = unknown.map(|(path, rule)| format!("{path} ({rule})")).collect();
        if unknown.is_empty() { Ok(self.routes) } else { Err(UnregisteredRules(unknown)) }
    }
}

/// Neutron's rules are for tokens of a project: what the administrator of a domain, or of the whole
/// system, may do to networks, none of them says.
async fn in_project(
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let Some(scope) = caller.beyond_projects() else { return next.run(request).await };
    Fault::from(Refusal::InvalidScope { token_scope: scope.to_owned() }).into_response()
}
