//! Who may do what with whose objects, as the published default rules have it: every route the
//! server has, every rule and every attribute with a rule, asked by everybody. What must come out is
//! worked out from the rules as data (`authorization/published.txt`) by an evaluator of the tests.

mod attributes;
mod documents;
mod matrix;
mod oracle;
mod parity;
mod people;
mod place;
mod published;
mod shown;
mod world;

use crate::cloud::Backend;
use matrix::Matrix;

on_both! {
    every_attribute_is_open_to_whom_its_published_rule_names,
    every_route_answers_everybody_as_the_published_rules_have_it,
    answers_show_what_the_document_says_and_nothing_else,
}

async fn answers_show_what_the_document_says_and_nothing_else(on: Backend) {
    shown::run(on).await;
}

async fn every_route_answers_everybody_as_the_published_rules_have_it(on: Backend) {
    Matrix::new(on).await.run().await;
}

async fn every_attribute_is_open_to_whom_its_published_rule_names(on: Backend) {
    Matrix::new(on).await.run_attributes().await;
}

/// On the database whose statements run in the test's own thread, where they can be counted.
#[tokio::test]
async fn what_is_not_seen_costs_what_nothing_costs() {
    Matrix::new(Backend::Postgres).await.run_oracle().await;
}
