//! `marsh report …`, and which reports follow a run.

use std::time::Duration;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct ReportSelectionArgs {
    /// Run no reports, but those that a definition requires
    #[arg(long)]
    pub skip_reports: bool,
    /// Do not run this report
    #[arg(long = "skip-report", value_name = "NAME")]
    pub skip_report: Vec<String>,
    /// Do not run reports with this label
    #[arg(long = "skip-report-label", value_name = "LABEL")]
    pub skip_report_label: Vec<String>,
    /// Of the reports, run this one
    #[arg(long = "report", value_name = "NAME")]
    pub report: Vec<String>,
    /// Of the reports, run those with this label
    #[arg(long = "report-label", value_name = "LABEL")]
    pub report_label: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// List stored reports
    #[command(visible_alias = "list")]
    Search {
        /// Part of a report's or a model's name
        query: Option<String>,
        /// Only those about this model
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// Only those about this workflow
        #[arg(long, value_name = "NAME", conflicts_with = "model")]
        workflow: Option<String>,
    },
    /// Show a stored report
    Get {
        /// The report's name
        name: String,
        /// The model that it is about; needed when there are several
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// The workflow that it is about
        #[arg(long, value_name = "NAME", conflicts_with = "model")]
        workflow: Option<String>,
        /// Which version; default: the latest
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// The Markdown text itself
        #[arg(long)]
        markdown: bool,
    },
    /// Run a report about a model or a workflow run
    Run {
        /// The report's name
        name: String,
        /// Name or id of a definition
        #[arg(required_unless_present = "workflow")]
        model: Option<String>,
        /// About a run of this workflow instead, by name or id
        #[arg(long, value_name = "NAME", conflicts_with = "model")]
        workflow: Option<String>,
        /// Which run of it, by id or the start of it; default: the last
        #[arg(long, value_name = "ID", requires = "workflow")]
        run: Option<String>,
        /// How long it may take: 30, 30s, 5m (default: 5m)
        #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
        timeout: Option<Duration>,
    },
    /// Describe a report
    Describe {
        /// The report's name
        name: String,
    },
    /// List the report types of sources and extensions
    #[command(subcommand)]
    Type(ReportTypeCommand),
}

#[derive(Debug, Subcommand)]
pub enum ReportTypeCommand {
    /// List the reports
    #[command(visible_alias = "list")]
    Search {
        /// Part of a report's name
        query: Option<String>,
    },
}
