//! The edits of an import, slice by slice.

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::Value as Json;

use super::rows::{Fate, Rows};
use super::{Import, ImportError, Size, Source, Target, wrong};
use crate::document::sheet::{Field, convert};
use crate::document::table::options::NewOption;
use crate::document::table::{CellEdit, ColumnDraft, ColumnId, Cutter, NewRow, Place, TableEdit};

/// How many options are added in one edit, so that a slice stays small.
const OPTIONS_AT_ONCE: usize = 150;

/// The edits of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    pub edits: Vec<TableEdit>,
    /// Cells that it writes.
    pub cells: usize,
}

/// Makes the slices of an import, one at a time.
#[derive(Debug)]
pub struct Slices<R> {
    import: Import,
    rng: R,
    cutter: Cutter,
    /// The id of the column of the table for each source.
    columns: Vec<ColumnId>,
    /// Which source a column of the file is.
    sources: Vec<Option<usize>>,
    next: usize,
    ended: bool,
}

impl<R: Rng> Slices<R> {
    pub(super) fn new(import: Import, rng: R) -> Self {
        let mut sources = vec![None; import.sheet.names().len()];
        for (number, source) in import.sources.iter().enumerate() {
            sources[source.at] = Some(number);
        }
        let mut made = Self {
            import,
            rng,
            cutter: Cutter::new(Place::End),
            columns: Vec::new(),
            sources,
            next: 0,
            ended: false,
        };
        made.add_columns();
        made
    }

    /// New columns with their first options, and the options that columns of the table do not have yet.
    fn add_columns(&mut self) {
        let mut later = Vec::new();
        for source in &mut self.import.sources {
            let mut options = source.options.draw(&mut self.rng);
            let id = match &source.target {
                Target::Existing(id) => id.clone(),
                Target::Skip => unreachable!("skipped columns are no sources"),
                Target::New { name, kind, width } => {
                    let id = ColumnId::random(&mut self.rng);
                    let rest = options.split_off(options.len().min(OPTIONS_AT_ONCE));
                    self.cutter.edit(TableEdit::AddColumn {
                        at: Place::End,
                        column: ColumnDraft {
                            id: Some(id.clone()),
                            name: name.clone(),
                            kind: kind.clone(),
                            width: *width,
                            options: std::mem::replace(&mut options, rest),
                        },
                    });
                    id
                }
            };
            later.extend(options.chunks(OPTIONS_AT_ONCE).map(|part| (id.clone(), part.to_vec())));
            self.columns.push(id);
        }
        for (column, options) in later {
            self.add_options(column, options);
        }
    }

    fn add_options(&mut self, column: ColumnId, options: Vec<NewOption>) {
        self.cutter.edit(TableEdit::AddOptions { column, options });
    }

    /// The next slice; an error only of an import that was not checked.
    fn make(&mut self) -> Result<Option<Slice>, ImportError> {
        loop {
            if let Some(edits) = self.cutter.full() {
                let cells = edits.iter().map(cells_of).sum();
                return Ok(Some(Slice { edits, cells }));
            }
            match self.next < self.import.sheet.rows() {
                true => self.record(self.next)?,
                false if self.ended => return Ok(None),
                false => {
                    self.ended = true;
                    self.cutter.close();
                }
            }
            self.next += 1;
        }
    }

    fn record(&mut self, row: usize) -> Result<(), ImportError> {
        let fate = match &self.import.rows {
            Rows::AllNew => &Fate::New,
            Rows::Each(fates) => &fates[row],
        };
        match fate {
            Fate::New => {
                let mut cells = Vec::new();
                for (column, field) in self.import.sheet.fields(row) {
                    if let Some(number) = self.sources[column]
                        && let Some(value) = self.value(row, &self.import.sources[number], &field)?
                    {
                        cells.push((self.columns[number].clone(), value));
                    }
                }
                self.cutter.row(NewRow { id: None, cells }, &mut self.rng);
            }
            Fate::Change { row: id, columns } => {
                let mut edits = Vec::with_capacity(columns.len());
                for column in columns {
                    let column = usize::from(*column);
                    let Some(number) = self.sources[column] else { continue };
                    let field = self.import.sheet.field(row, column);
                    let value = self.value(row, &self.import.sources[number], &field)?;
                    edits.push(TableEdit::Cell {
                        row: id.clone(),
                        column: self.columns[number].clone(),
                        edit: value.map_or(CellEdit::Clear, CellEdit::Set),
                    });
                }
                edits.into_iter().for_each(|edit| self.cutter.edit(edit));
            }
        }
        Ok(())
    }

    fn value(&self, row: usize, source: &Source, field: &Field<'_>) -> Result<Option<Json>, ImportError> {
        convert::value(&source.kind, field, |name| source.options.id(name))
            .map_err(|_| wrong(&self.import.sheet, row, source.at, &source.kind))
    }
}

impl<R: Rng> Iterator for Slices<R> {
    type Item = Slice;

    fn next(&mut self) -> Option<Slice> {
        self.make()
            .expect("every field was converted when the import was checked")
    }
}

fn cells_of(edit: &TableEdit) -> usize {
    match edit {
        TableEdit::InsertRows { rows, .. } => rows.iter().map(|row| row.cells.len()).sum(),
        TableEdit::Cell { .. } => 1,
        _ => 0,
    }
}

/// Makes all slices once and throws them away: their number, and what is wrong with any field. Ids do not change how
/// edits are cut.
pub(super) fn measured(import: Import) -> Result<Import, ImportError> {
    let mut size = Size {
        columns: import.sources.len(),
        new_rows: import.rows.fresh(import.sheet.rows()),
        ..Size::default()
    };
    if let Rows::Each(fates) = &import.rows {
        let changed = |fate: &&Fate| matches!(fate, Fate::Change { columns, .. } if !columns.is_empty());
        size.changed_rows = fates.iter().filter(changed).count();
    }
    // The options get their ids while slices are made; here that was for nothing.
    let sources = import.sources.clone();
    let mut slices = Slices::new(import, SmallRng::seed_from_u64(0));
    while let Some(slice) = slices.make()? {
        size.slices += 1;
        size.cells += slice.cells;
    }
    Ok(Import {
        sources,
        size,
        ..slices.import
    })
}
