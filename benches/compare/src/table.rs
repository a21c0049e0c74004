//! How are figures printed, so that ratios are read at a glance?

/// Figures of several engines; more is better.
#[derive(Debug)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
}

fn short(figure: f64) -> String {
    match figure {
        f if f.is_nan() => "-".to_owned(),
        f if f >= 1e6 => format!("{:.2} M", f / 1e6),
        f if f >= 1e4 => format!("{:.0} k", f / 1e3),
        f if f >= 1e3 => format!("{:.1} k", f / 1e3),
        f if f >= 10.0 => format!("{f:.0}"),
        f => format!("{f:.4}"),
    }
}

impl Table {
    /// A table of these columns.
    pub fn new(title: String, columns: &[&str]) -> Table {
        Table { title, columns: columns.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds an engine's figures; the first engine is what the others are compared with.
    pub fn row(&mut self, name: &str, figures: &[f64]) {
        eprintln!("{name}: {}", figures.iter().map(|figure| short(*figure)).collect::<Vec<_>>().join(", "));
        self.rows.push((name.to_owned(), figures.to_vec()));
    }

    /// Prints it as Markdown: each figure, and in brackets how many times ours is as fast.
    pub fn print(&self) {
        println!("\n**{}** (in brackets: ours divided by it)\n", self.title);
        println!("| engine | {} |", self.columns.join(" | "));
        println!("|---|{}", "---|".repeat(self.columns.len()));
        for (name, figures) in &self.rows {
            let cells = figures.iter().zip(&self.rows[0].1).map(|(figure, ours)| match *name == self.rows[0].0 {
                true => short(*figure),
                false => format!("{} ({:.2})", short(*figure), ours / figure),
            });
            println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
}
