//! What a notice says. Pure.

use serde_json::{Value, json};

use crate::domain::incident::{Incident, IncidentKind, NoticeEvent};

/// The body of the POST. `text` is the field that chat tools show; `incident.id` and `event` together tell a repeat.
pub fn body(incident: &Incident, event: NoticeEvent) -> Value {
    json!({
        "event": event,
        "text": text(incident, event),
        "incident": {
            "id": incident.id,
            "kind": incident.kind,
            "store": incident.store,
            "connector": incident.connector,
            "opened_at": incident.opened_at,
            "closed_at": incident.closed_at,
            "sentence": incident.sentence,
        },
    })
}

/// The notice as a sentence.
pub fn text(incident: &Incident, event: NoticeEvent) -> String {
    let sentence = &incident.sentence;
    match event {
        NoticeEvent::Opened => format!("netosync: {sentence}"),
        NoticeEvent::StillOpen => {
            format!("netosync: still, since {}: {sentence}", incident.opened_at.format("%Y-%m-%d %H:%MZ"))
        }
        NoticeEvent::Closed => format!("netosync: over: {}", over(incident)),
    }
}

fn over(incident: &Incident) -> String {
    let about = incident.store.as_deref().unwrap_or(&incident.connector);
    match incident.kind {
        IncidentKind::KeyRevoked => format!("store {about} has a key that works, or a new one"),
        IncidentKind::VendorOutage => format!("the stores of {about} answer again"),
        IncidentKind::StoreFailing => format!("store {about} is synced again"),
        IncidentKind::RemovalsHeld => format!("no removal of store {about} waits for approval any more"),
        IncidentKind::ImportFailed => "the import of credentials takes every row again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn a_notice_names_its_incident_and_reads_as_a_sentence() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let opened_at = at("2026-11-21T09:00:00Z");
        let incident = Incident {
            id: 7,
            kind: IncidentKind::KeyRevoked,
            store_id: Some(3),
            store: Some("main".to_owned()),
            connector: "neto".to_owned(),
            opened_at,
            last_seen_at: opened_at,
            closed_at: None,
            sentence: "store main refuses its key for good".to_owned(),
            told_opened_at: None,
            told_reminded_at: None,
            told_closed_at: None,
            notice_at: opened_at,
            notice_tries: 0,
        };
        assert_eq!(
            body(&incident, NoticeEvent::Opened),
            json!({
                "event": "opened",
                "text": "netosync: store main refuses its key for good",
                "incident": {
                    "id": 7,
                    "kind": "key_revoked",
                    "store": "main",
                    "connector": "neto",
                    "opened_at": "2026-11-21T09:00:00Z",
                    "closed_at": null,
                    "sentence": "store main refuses its key for good",
                },
            })
        );
        let still = "netosync: still, since 2026-11-21 09:00Z: store main refuses its key for good";
        assert_eq!(text(&incident, NoticeEvent::StillOpen), still);
        let closed = Incident { closed_at: Some(at("2026-11-21T10:00:00Z")), ..incident };
        let body = body(&closed, NoticeEvent::Closed);
        assert_eq!(body["text"], "netosync: over: store main has a key that works, or a new one");
        assert_eq!(body["incident"]["closed_at"], "2026-11-21T10:00:00Z");
    }
}
