//! Vertex AI: a project, a region, and an access token that lives for an hour.

use super::{CLOUD, Form, Setting, Ways};

pub const PROJECT: &str = "project";
pub const REGION: &str = "region";

/// What prints a token where no variable holds one: of the account, else of the application default
/// credentials.
pub const TOKEN_COMMANDS: [&[&str]; 2] = [
    &["gcloud", "auth", "print-access-token"],
    &[
        "gcloud",
        "auth",
        "application-default",
        "print-access-token",
    ],
];

pub const WAYS: Ways = Ways {
    name: "vertexai",
    title: "Vertex AI",
    form: Form::VertexAi,
    variables: &["VERTEX_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"],
    settings: &[
        Setting {
            field: PROJECT,
            variables: &["GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"],
            default: None,
            needed: true,
            example: "my-project",
            longest: 64,
        },
        Setting {
            field: REGION,
            variables: &["GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION"],
            default: Some("us-central1"),
            needed: true,
            example: "us-central1",
            longest: 64,
        },
    ],
    default_model: "google/gemini-2.5-flash",
    ..CLOUD
};

/// The host of a region (facts 9.3).
pub fn host(region: &str) -> String {
    format!("{region}-aiplatform.googleapis.com")
}
