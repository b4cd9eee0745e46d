//! `marsh report …`, and which reports follow a run.

use std::time::Duration;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct ReportSelectionArgs {
    /// Skip reports, except those that a definition requires
    #[arg(long)]
    pub skip_reports: bool,
    /// Skip this report
    #[arg(long = "skip-report", value_name = "NAME")]
    pub skip_report: Vec<String>,
    /// Skip reports with this label
    #[arg(long = "skip-report-label", value_name = "LABEL")]
    pub skip_report_label: Vec<String>,
    /// Run only this report
    #[arg(long = "report", value_name = "NAME")]
    pub report: Vec<String>,
    /// Run only reports with this label
    #[arg(long = "report-label", value_name = "LABEL")]
    pub report_label: Vec<String>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ReportCommand {
    /// List stored reports
    #[command(visible_alias = "list")]
    Search {
        /// Part of a report's or a model's name
        query: Option<String>,
        /// Show only reports about this model
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// Show only reports about this workflow
        #[arg(long, value_name = "NAME", conflicts_with = "model")]
        workflow: Option<String>,
        /// Show only reports with this scope
        #[arg(long, value_name = "SCOPE", value_parser = ["method", "model", "workflow"])]
        scope: Option<String>,
        /// Show only the report of this name
        #[arg(long = "type", value_name = "NAME")]
        report: Option<String>,
        /// Show only reports with this label; may be given several times
        #[arg(long = "label", value_name = "LABEL")]
        labels: Vec<String>,
    },
    /// Show a stored report
    Get {
        /// The report's name
        name: String,
        /// The model of the report; required when several have one
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// The workflow of the report
        #[arg(long, value_name = "NAME", conflicts_with = "model")]
        workflow: Option<String>,
        /// The version; default: the latest
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// The variant, of a report about a `forEach`
        #[arg(long, value_name = "SUFFIX")]
        variant: Option<String>,
        /// Print the report's Markdown text
        #[arg(long)]
        markdown: bool,
        /// Wrap prose at this width
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..))]
        max_width: Option<u16>,
        /// Cut the cells of tables at this width
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(5..))]
        max_col_width: Option<u16>,
    },
    /// Run a report about a model or a workflow run
    Run {
        /// The report's name
        name: String,
        /// Name or id of a definition
        #[arg(required_unless_present = "workflow")]
        model: Option<String>,
        /// Report on a run of this workflow instead, by name or id
        #[arg(long, value_name = "NAME", conflicts_with = "model")]
        workflow: Option<String>,
        /// The run, by the start of its id (default: the last run)
        #[arg(long, value_name = "ID", requires = "workflow")]
        run: Option<String>,
        /// Time limit: 30, 30s, 5m (default: 5m)
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
#[command(defer = true)]
pub enum ReportTypeCommand {
    /// List the reports
    #[command(visible_alias = "list")]
    Search {
        /// Part of a report's name
        query: Option<String>,
    },
}
