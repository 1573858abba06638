//! What is said of QoS rules outside their policies: which kinds there are (`/v2.0/qos/rule-types`),
//! and each rule by its own id (`/v2.0/qos/alias_<kind>_rules/<id>`), which finds the policy and
//! then does what the rule's own URL does.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use navigator_resources::{
    Caller, Refusal, SqlValue,
    qos::{KindVisitor, QosRule, visit_kinds},
};
use serde_json::{Map, Value, json};

use crate::{
    body,
    controller::{self, Ids},
    fault::Fault,
    listing::Parameters,
    policy::{About, Access, Guarded, Said},
    present::{Fields, JsonText},
    state::ApiState,
};

type Answer = Result<Json<Value>, Fault>;

/// Who keeps the rules.
const DRIVER: &str = "navigator";

/// Paths come here normalised: `rule-types` is `rule_types`.
pub(crate) fn routes() -> Guarded {
    struct Aliases(Guarded);
    impl KindVisitor for Aliases {
        fn visit<R: QosRule>(&mut self) {
            let member = get(show::<R>).put(update::<R>).delete(delete::<R>);
            let rules = [("GET", "get"), ("PUT", "update"), ("DELETE", "delete")];
            let rules = rules.map(|(method, verb)| (method, rule::<R>(verb)));
            let routes = std::mem::take(&mut self.0);
            let path = format!("/v2.0/qos/alias_{}_rules/{{id}}", R::KIND);
            self.0 = routes.route(&path, rules, member);
        }
    }
    let mut aliases = Aliases(Guarded::default());
    visit_kinds(&mut aliases);
    aliases.0.route("/v2.0/qos/rule_types", [("GET", RULE_TYPE)], get(rule_types)).route(
        "/v2.0/qos/rule_types/{type}",
        [("GET", RULE_TYPE)],
        get(rule_type),
    )
}

/// The rule that decides on kinds.
const RULE_TYPE: &str = "get_rule_type";

/// `update_alias_bandwidth_limit_rule`.
fn rule<R: QosRule>(verb: &str) -> String {
    format!("{verb}_{}", alias::<R>())
}

/// Kinds of rules with what they may say.
struct Kinds(Vec<(&'static str, Vec<Value>)>);

impl KindVisitor for Kinds {
    fn visit<R: QosRule>(&mut self) {
        self.0.push((R::KIND, R::parameters()));
    }
}

fn kinds() -> Vec<(&'static str, Vec<Value>)> {
    let mut kinds = Kinds(Vec::new());
    visit_kinds(&mut kinds);
    kinds.0
}

fn only(fields: &Fields, mut map: Map<String, Value>) -> Value {
    if let Some(fields) = fields {
        map.retain(|name, _| fields.contains(name));
    }
    Value::Object(map)
}

/// Every kind that there is has what keeps it, so `all_supported` and `all_rules` change nothing.
async fn rule_types(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    state.policy.now().authorize(&caller, RULE_TYPE, &Said::default())?;
    let parameters = Parameters::parse(uri.query())?;
    let fields = parameters.fields();
    let wanted: Vec<&str> = parameters.all("type").collect();
    let shown: Vec<Value> = kinds()
        .into_iter()
        .filter(|(kind, _)| wanted.is_empty() || wanted.contains(kind))
        .map(|(kind, _)| only(&fields, Map::from_iter([("type".to_owned(), kind.into())])))
        .collect();
    Ok(Json(json!({ "rule_types": shown })))
}

async fn rule_type(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    state.policy.now().authorize(&caller, RULE_TYPE, &Said::default())?;
    let fields = Parameters::parse(uri.query())?.fields();
    let Some((kind, parameters)) = kinds().into_iter().find(|(kind, _)| *kind == name) else {
        return Err(Refusal::NotFound { class: "QosRuleType", id: name }.into());
    };
    let drivers = json!([{"name": DRIVER, "supported_parameters": parameters}]);
    let shown = [("type".to_owned(), kind.into()), ("drivers".to_owned(), drivers)];
    Ok(Json(json!({ "rule_type": only(&fields, Map::from_iter(shown)) })))
}

fn not_found<R: QosRule>(id: &str) -> Fault {
    Refusal::not_found::<R>(id).into()
}

/// A rule of a policy that the caller does not see does not exist, whatever is missing.
fn as_rule<R: QosRule>(id: &str) -> impl Fn(Fault) -> Fault {
    move |fault| match fault {
        Fault::Refused(Refusal::NotFound { .. }) => not_found::<R>(id),
        other => other,
    }
}

/// The ids that the rule's own URL has, if the alias's rule allows it too. Whether the caller sees
/// the policy is found out there.
async fn ids<R: QosRule>(
    state: &ApiState,
    caller: &Caller,
    verb: &str,
    id: &str,
) -> Result<Ids, Fault> {
    let conditions = vec![("id", SqlValue::from(id))];
    let mut access = Access::to::<R>(state, caller);
    let row = access.find_by(&rule::<R>("get"), conditions).await?;
    let row = row.ok_or_else(|| not_found::<R>(id))?;
    access.permit([rule::<R>(verb)], About::Object(&row)).await?;
    Ok(Ids::of_child(row.text("qos_policy_id"), id))
}

fn alias<R: QosRule>() -> String {
    format!("alias_{}", R::declaration().name)
}

fn renamed<R: QosRule>(answer: JsonText) -> Json<Value> {
    Json(json!({ alias::<R>(): answer.value()[R::declaration().name].take() }))
}

async fn show<R: QosRule>(
    State(state): State<ApiState>,
    caller: Extension<Caller>,
    Path(id): Path<String>,
    uri: OriginalUri,
) -> Answer {
    let ids = ids::<R>(&state, &caller, "get", &id).await?;
    let answer = controller::show::<R>(State(state), caller, Path(ids), uri).await;
    answer.map(renamed::<R>).map_err(as_rule::<R>(&id))
}

async fn update<R: QosRule>(
    State(state): State<ApiState>,
    caller: Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let ids = ids::<R>(&state, &caller, "update", &id).await?;
    let mut body = body::object(&bytes)?;
    let bytes = match body.remove(&alias::<R>()) {
        Some(rule) => Bytes::from(json!({ R::declaration().name: rule }).to_string()),
        None => bytes,
    };
    let answer = controller::update::<R>(State(state), caller, Path(ids), headers, bytes).await;
    answer.map(renamed::<R>).map_err(as_rule::<R>(&id))
}

async fn delete<R: QosRule>(
    State(state): State<ApiState>,
    caller: Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    let ids = ids::<R>(&state, &caller, "delete", &id).await?;
    let answer = controller::delete::<R>(State(state), caller, Path(ids), headers).await;
    answer.map_err(as_rule::<R>(&id))
}
