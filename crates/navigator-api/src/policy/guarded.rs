//! Routes with the rules that decide on them.

use axum::{Router, routing::MethodRouter};

use super::Policy;
use crate::state::ApiState;

/// Routes under `/v2.0`. There is no way to add one without saying its rules.
#[derive(Default)]
pub(crate) struct Guarded {
    routes: Router<ApiState>,
    rules: Vec<(String, String)>,
}

/// Routes on which rules decide that do not exist: nobody could use them, or worse, everybody.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("routes without a policy rule: {}", .0.join(", "))]
pub struct UnregisteredRules(pub Vec<String>);

impl Guarded {
    /// `rules` are those of each method. The handler asks them.
    pub(crate) fn route<S: Into<String>>(
        mut self,
        path: &str,
        rules: impl IntoIterator<Item = S>,
        methods: MethodRouter<ApiState>,
    ) -> Self {
        self.rules.extend(rules.into_iter().map(|rule| (path.to_owned(), rule.into())));
        self.routes = self.routes.route(path, methods);
        self
    }

    /// Documents that say nothing about any project; everybody with a token reads them.
    pub(crate) fn open(mut self, path: &str, methods: MethodRouter<ApiState>) -> Self {
        self.routes = self.routes.route(path, methods);
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.rules.extend(other.rules);
        self.routes = self.routes.merge(other.routes);
        self
    }

    /// The routes, if every rule exists.
    pub(crate) fn under(self, policy: &Policy) -> Result<Router<ApiState>, UnregisteredRules> {
        let unknown = self.rules.iter().filter(|(_, rule)| policy.rules().get(rule).is_none());
        let unknown: Vec<_> = unknown.map(|(path, rule)| format!("{path} ({rule})")).collect();
        if unknown.is_empty() { Ok(self.routes) } else { Err(UnregisteredRules(unknown)) }
    }
}
