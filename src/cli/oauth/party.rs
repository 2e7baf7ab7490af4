//! Who we are to the vendor, and how a consent is carried through, for both commands.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::answer::{Answer, Answers};
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::signals::stop_on_signal;
use crate::cli::store::identity;
use crate::connect::{Connect, ConnectError, Outcome, PATIENCE, Party, Wish};
use crate::connector::oauth::Client;
use crate::domain::secret::Secret;
use crate::domain::store::Store;
use crate::storage::Database;
use crate::storage::oauth_states::Purpose;
use crate::storage::vault::VaultError;
use crate::tokens::{configured_client, secret_in};
use crate::transport::{Settings, Transport};

/// The OAuth client, and the way back.
#[derive(Debug, Args)]
pub struct PartyArgs {
    /// Id of the OAuth client, when not the configured one.
    #[arg(long, value_name = "ID", value_parser = identity::header, requires = "client_secret_file")]
    client_id: Option<String>,
    /// File with the client's secret.
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// Where the vendor sends the answer: what is registered for the client. One on this machine is listened on.
    #[arg(long, value_name = "URI", default_value = "http://127.0.0.1:8723/callback")]
    redirect_uri: Url,
    /// Listen for nothing: the answer is pasted (the address the browser ends on, or the code alone), or piped in.
    #[arg(long)]
    paste: bool,
}

impl PartyArgs {
    /// The client that is given, or the configured one.
    pub fn client(&self, app: &App) -> Result<Client, CliError> {
        let (Some(id), Some(file)) = (&self.client_id, &self.client_secret_file) else {
            return configured_client(&app.config).map_err(|error| {
                CliError::new(Exit::Configuration, format!("{error}; or give --client-id and --client-secret-file"))
            });
        };
        let secret = secret_in(file).map_err(|reason| {
            // The path is not repeated: it may be the secret itself, given by mistake.
            CliError::usage(format!("the file named by --client-secret-file cannot be used: {reason}"))
        })?;
        Ok(Client { id: id.clone(), secret })
    }

    /// The client that is given, or the one that the store was connected by: with the configured secret where it is the configured
    /// client, whose secret may have been replaced.
    pub async fn client_of(&self, app: &App, db: &Database, store: &Store) -> Result<Client, CliError> {
        if self.client_id.is_some() {
            return self.client(app);
        }
        let vault = app.vault(db).await?;
        let credential = match vault.open(db, store.id, &store.name).await {
            Err(VaultError::Missing { .. }) => return self.client(app),
            credential => credential?,
        };
        match (configured_client(&app.config), credential.client_id, credential.client_secret) {
            (Ok(client), Some(id), _) if client.id == id => Ok(client),
            (_, Some(id), Some(secret)) => Ok(Client { id, secret }),
            _ => self.client(app),
        }
    }

    /// What connects stores of `client`.
    pub async fn connect(&self, app: &App, db: &Database, client: Client, party: Party) -> Result<Connect, CliError> {
        let vault = Arc::new(app.vault(db).await?);
        let transport = Arc::new(Transport::new(Settings::from(&*app.config), app.clock.clone())?);
        Ok(Connect { tokens: app.tokens(db, vault, transport), client, party })
    }

    /// Leads a person to the vendor and carries through what he answers. Answers that nobody asked for are turned away, and the
    /// right one is waited for on.
    pub async fn consent(
        &self,
        app: &App,
        connect: &Connect,
        purpose: Purpose,
        subject: &str,
        store_name: Option<&str>,
        show: impl Fn(&str),
    ) -> Result<Outcome, CliError> {
        let mut answers = Answers::expect(&self.redirect_uri, self.paste).await?;
        let wish = Wish {
            purpose,
            subject: subject.to_owned(),
            store_name: store_name.map(str::to_owned),
            redirect_uri: self.redirect_uri.to_string(),
        };
        let (url, ours) = connect.begin(&wish).await.map_err(|error| failed(&error))?;
        show(&format!("Open this address in a browser, logged in as an administrator of {subject}:\n\n  {url}\n"));
        show(&if answers.are_heard() {
            format!("Waiting for the answer at {} for ten minutes; Ctrl-C gives up.", self.redirect_uri)
        } else {
            "Then paste the address that the browser ends on, or the code in it, within ten minutes:".to_owned()
        });
        let stop = CancellationToken::new();
        let _signals = stop_on_signal(stop.clone());
        let patience = app.clock.sleep(PATIENCE.to_std().unwrap_or_default());
        let mut patience = std::pin::pin!(patience);
        loop {
            let answer = tokio::select! {
                biased;
                () = stop.cancelled() => return Err(CliError::new(Exit::Interrupted, "interrupted; nothing was changed")),
                answer = answers.next() => answer.ok_or("no answer was pasted; nothing was changed"),
                () = &mut patience => Err("no answer came within ten minutes; nothing was changed"),
            };
            let answer = answer.map_err(|said| CliError::new(Exit::Failed, said))?;
            if let Some(ended) = taken(connect, answer, &ours).await {
                answers.end().await;
                return ended;
            }
        }
    }
}

/// Deals with an answer; `None` when it is not the one that is waited for.
async fn taken(connect: &Connect, answer: Answer, ours: &Secret) -> Option<Result<Outcome, CliError>> {
    // A code that is pasted alone is the answer of whoever sits here, to what was just asked.
    let state = answer.state.clone().unwrap_or_else(|| ours.clone());
    let begun = match connect.take(&state).await {
        Ok(begun) if state.expose() == ours.expose() => begun,
        Ok(_) => {
            answer.tell(false, "Not this one", "This answer belongs to another connection that was begun.");
            return None;
        }
        Err(error @ ConnectError::State(_)) => {
            crate::cli::complain(&format!("an answer was turned away: {error}"));
            answer.tell(false, "Not connected", &error.to_string());
            return None;
        }
        Err(error) => return Some(Err(failed(&error))),
    };
    let code = match &answer.code {
        Ok(code) => code.clone(),
        Err(said) => {
            let error = CliError::new(Exit::CredentialRefused, format!("consent was not given: {}", printable(said)));
            answer.tell(false, "Not connected", "Consent was not given.");
            return Some(Err(error));
        }
    };
    let finished = connect.finish(&begun, &code, true).await;
    match &finished {
        Ok(_) => answer.tell(true, "Done", "You can close this page and go back to the terminal."),
        Err(error) => answer.tell(false, "Not connected", &error.to_string()),
    }
    Some(finished.map_err(|error| failed(&error)))
}

fn printable(said: &str) -> String {
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The error of a command.
fn failed(error: &ConnectError) -> CliError {
    let exit = match error {
        ConnectError::Storage(_) => Exit::Database,
        error if error.is_refusal() => Exit::CredentialRefused,
        error => error.remote().map_or(Exit::Failed, |error| Exit::of_class(error.class)),
    };
    CliError::new(exit, error.to_string())
}
