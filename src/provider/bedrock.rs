//! Bedrock: AWS keys that sign each request, or an API key of Bedrock's own (facts 5).

use super::{CLOUD, Form, Key, Setting, Ways};

pub const REGION: &str = "region";

/// The parts of an AWS key: entry of the Secret (facts 5), variable of AWS's own tools, whether it
/// must be there.
pub const PARTS: [(&str, &str, bool); 3] = [
    ("accessKey", "AWS_ACCESS_KEY_ID", true),
    ("secretKey", "AWS_SECRET_ACCESS_KEY", true),
    ("sessionToken", "AWS_SESSION_TOKEN", false),
];
pub const AWS_VARIABLES: [&str; 3] = [PARTS[0].1, PARTS[1].1, PARTS[2].1];

pub const WAYS: Ways = Ways {
    name: "bedrock",
    title: "Bedrock",
    form: Form::Bedrock,
    key: Key::Aws,
    variables: &["AWS_BEARER_TOKEN_BEDROCK"],
    settings: &[Setting {
        field: REGION,
        variables: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        default: Some("us-east-1"),
        needed: true,
        example: "us-east-1",
        longest: 63,
    }],
    default_model: "amazon.nova-lite-v1:0",
    ..CLOUD
};
