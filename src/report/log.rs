//! Lines of several logs on one screen: time, source, what happened, in columns.

use super::style::Look;
use crate::diagnose::log::Line;
use console::Style;
use serde_json::{Value, json};

/// Colours of sources in the order in which they appear.
const HUES: [fn() -> Style; 5] = [
    || Style::new().cyan(),
    || Style::new().magenta(),
    || Style::new().yellow(),
    || Style::new().blue(),
    || Style::new().green(),
];

/// What a person looks for first in a request; everything else follows as `key=value`.
const SHOWN: [&str; 14] = [
    "http.method",
    "http.path",
    "http.status",
    "duration",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "route",
    "error",
    "reason",
    "gateway",
    "listener",
    "http.version",
];
/// What is the same on nearly every line.
const LEFT_OUT: [&str; 7] = [
    "src.addr",
    "http.host",
    "protocol",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "endpoint",
    "component",
];

/// One line for a person; `wide` is how far sources are padded.
pub fn line(line: &Line, wide: usize, hue: usize, look: Look) -> String {
    let time = line
        .at
        .map(|at| at.strftime("%H:%M:%S%.3f").to_string())
        .unwrap_or_else(|| " ".repeat(12));
    let source = format!("{:wide$}", line.source);
    let style = HUES
        .get(hue % HUES.len())
        .map_or_else(Style::new, |hue| hue());
    let said = match line.field("http.method") {
        Some(_) => request(line),
        None => other(line),
    };
    let said = if line.is_error() {
        look.red(&said)
    } else {
        said
    };
    format!("{} {} {said}", look.dim(&time), look.styled(&source, style))
}

fn request(line: &Line) -> String {
    let field = |name: &str| line.field(name).unwrap_or("");
    let mut words = vec![
        format!(
            "{:4} {} {}",
            field("http.method"),
            field("http.path"),
            field("http.status")
        ),
        field("duration").to_string(),
    ];
    let model = line
        .field("gen_ai.response.model")
        .or(line.field("gen_ai.request.model"));
    words.extend(model.map(str::to_string));
    if let (Some(input), Some(output)) = (
        line.field("gen_ai.usage.input_tokens"),
        line.field("gen_ai.usage.output_tokens"),
    ) {
        words.push(format!("{input} + {output} tokens"));
    }
    words.extend(line.field("error").map(|error| format!("{error:?}")));
    words.extend(line.field("reason").map(|reason| format!("({reason})")));
    let rest = line
        .fields
        .iter()
        .filter(|(key, _)| !SHOWN.contains(&key.as_str()) && !LEFT_OUT.contains(&key.as_str()));
    words.extend(rest.map(|(key, value)| format!("{key}={value}")));
    words.retain(|word| !word.is_empty());
    words.join("  ")
}

fn other(line: &Line) -> String {
    let level = match line.level.as_str() {
        "" | "info" => String::new(),
        level => format!("{level} "),
    };
    let fields = line
        .fields
        .iter()
        .filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
    let fields: Vec<String> = fields
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("{level}{}  {}", line.message, fields.join(" "))
        .trim_end()
        .to_string()
}

/// One line for a machine.
pub fn value(line: &Line) -> Value {
    let fields: serde_json::Map<String, Value> = line
        .fields
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    json!({
        "time": line.at.map(|at| at.to_string()),
        "source": line.source,
        "level": line.level,
        "message": line.message,
        "fields": fields,
        "error": line.is_error(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::log::parse;

    const PLAIN: Look = Look {
        terminal: false,
        colour: false,
    };

    #[test]
    fn a_request_reads_in_columns_and_an_error_of_the_controller_in_words() {
        // As recorded: recordings/cluster/healthy.json.
        let text = "2026-11-23T18:37:31.72715Z\tinfo\trequest gateway=kgateway-system/ai-gateway listener=http route=kgateway-system/healthy endpoint=host-ollama:11434 src.addr=10.244.0.1:30444 http.method=POST http.host=172.18.0.2 http.path=/healthy/v1/chat/completions http.version=HTTP/1.1 http.status=200 protocol=llm gen_ai.operation.name=chat gen_ai.provider.name=openai gen_ai.request.model=llama3.2 gen_ai.response.model=llama3.2 gen_ai.usage.input_tokens=6 gen_ai.usage.output_tokens=16 duration=11ms";
        assert_eq!(
            line(&parse("proxy", text), 10, 0, PLAIN),
            "18:37:31.727 proxy      POST /healthy/v1/chat/completions 200  11ms  llama3.2  6 + 16 tokens"
        );
        let text = r#"{"time":"2026-11-23T18:37:54.729385934Z","level":"error","msg":"failed to translate backend","component":"agentgateway/backend","backend":"secret-missing","err":"secret n/s not found"}"#;
        assert_eq!(
            line(&parse("controller", text), 10, 0, PLAIN),
            "18:37:54.729 controller error failed to translate backend  backend=secret-missing err=secret n/s not found"
        );
    }
}
