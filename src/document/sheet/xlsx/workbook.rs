//! Which sheets a workbook has, and which of its number formats show dates.

use std::collections::HashMap;

use quick_xml::events::Event;

use super::super::SheetError;
use super::package::{Package, attribute};
use super::serial::{Shape, builtin_shape, shape_of};

/// Excel takes 64,000 cell formats.
const MAX_FORMATS: usize = 70_000;

/// More sheets than people have.
const MAX_SHEETS: usize = 2_000;

pub(super) struct WorkbookSheet {
    pub name: String,
    /// Path of its part.
    pub part: String,
}

pub(super) struct Workbook {
    /// Worksheets in the order of their tabs.
    pub sheets: Vec<WorkbookSheet>,
    /// Path of the part with the texts that cells share.
    pub strings: Option<String>,
    /// Whether days count from 1904.
    pub since_1904: bool,
    /// What the numbers of a cell format show, by its number.
    pub shapes: Vec<Shape>,
}

impl Workbook {
    pub fn read(package: &mut Package<'_>) -> Result<Self, SheetError> {
        let root = relations(package, "_rels/.rels", "")?;
        let main = root.iter().find(|relation| relation.kind == "officeDocument");
        let main = main
            .ok_or_else(|| SheetError::NotXlsx("it has no workbook in it".into()))?
            .target
            .clone();
        let (folder, file) = main.rsplit_once('/').unwrap_or(("", &main));
        let related = relations(package, &join(folder, &format!("_rels/{file}.rels")), folder)?;
        let of_kind = |kind: &str| {
            related
                .iter()
                .find(|relation| relation.kind == kind)
                .map(|r| r.target.clone())
        };
        let (sheets, since_1904) = sheets(package, &main, &related)?;
        let shapes = match of_kind("styles") {
            Some(styles) => shapes(package, &styles)?,
            None => Vec::new(),
        };
        Ok(Self {
            sheets,
            strings: of_kind("sharedStrings"),
            since_1904,
            shapes,
        })
    }

    /// What a number in a cell of this format shows.
    pub fn shape(&self, format: Option<usize>) -> Shape {
        let shape = format.and_then(|format| self.shapes.get(format));
        shape.copied().unwrap_or(Shape::Number)
    }
}

struct Relation {
    id: String,
    /// The last part of its type: `worksheet`, `styles`.
    kind: String,
    target: String,
}

fn relations(package: &mut Package<'_>, path: &str, folder: &str) -> Result<Vec<Relation>, SheetError> {
    let mut found = Vec::new();
    let Some(mut part) = package.part(path)? else {
        return Ok(found);
    };
    while let Some(event) = part.next()? {
        let Event::Start(element) = event else { continue };
        if element.local_name().as_ref() != "Relationship" || found.len() > MAX_SHEETS {
            continue;
        }
        let (id, kind, target) = (
            attribute(&element, "Id"),
            attribute(&element, "Type"),
            attribute(&element, "Target"),
        );
        if let (Some(id), Some(kind), Some(target)) = (id, kind, target) {
            found.push(Relation {
                id: id.into_owned(),
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                target: join(folder, &target),
            });
        }
    }
    Ok(found)
}

/// A path within the archive: from its root, or from the folder of the part that names it.
fn join(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn sheets(
    package: &mut Package<'_>,
    path: &str,
    related: &[Relation],
) -> Result<(Vec<WorkbookSheet>, bool), SheetError> {
    let missing = || SheetError::NotXlsx(format!("its workbook {path:?} is missing"));
    let mut part = package.part(path)?.ok_or_else(missing)?;
    let targets: HashMap<&str, &Relation> = related
        .iter()
        .map(|relation| (relation.id.as_str(), relation))
        .collect();
    let (mut sheets, mut since_1904) = (Vec::new(), false);
    while let Some(event) = part.next()? {
        let Event::Start(element) = event else { continue };
        match element.local_name().as_ref() {
            "workbookPr" => {
                let flag = attribute(&element, "date1904");
                since_1904 |= matches!(flag.as_deref(), Some("1" | "true"));
            }
            "sheet" if sheets.len() < MAX_SHEETS => {
                let name = attribute(&element, "name").unwrap_or_default().into_owned();
                // `r:id`; a sheet also has a `sheetId`, which is another thing.
                let target = attribute(&element, "id").and_then(|id| targets.get(&*id).copied());
                if let Some(target) = target.filter(|target| target.kind == "worksheet") {
                    sheets.push(WorkbookSheet {
                        name,
                        part: target.target.clone(),
                    });
                }
            }
            _ => {}
        }
    }
    match sheets.is_empty() {
        true => Err(SheetError::NotXlsx("it has no sheet".into())),
        false => Ok((sheets, since_1904)),
    }
}

/// What each cell format shows. Of a format's code only the shape is kept.
fn shapes(package: &mut Package<'_>, path: &str) -> Result<Vec<Shape>, SheetError> {
    let Some(mut part) = package.part(path)? else {
        return Ok(Vec::new());
    };
    let mut custom: HashMap<u32, Shape> = HashMap::new();
    let (mut shapes, mut within) = (Vec::new(), false);
    while let Some(event) = part.next()? {
        match event {
            Event::Start(element) => {
                let id = || attribute(&element, "numFmtId").and_then(|id| id.parse::<u32>().ok());
                match element.local_name().as_ref() {
                    "cellXfs" => within = true,
                    "numFmt" if custom.len() < MAX_FORMATS => {
                        if let (Some(id), Some(code)) = (id(), attribute(&element, "formatCode")) {
                            custom.insert(id, shape_of(&code));
                        }
                    }
                    "xf" if within && shapes.len() < MAX_FORMATS => {
                        let id = id().unwrap_or(0);
                        shapes.push(custom.get(&id).copied().unwrap_or_else(|| builtin_shape(id)));
                    }
                    _ => {}
                }
            }
            Event::End(element) if element.local_name().as_ref() == "cellXfs" => within = false,
            _ => {}
        }
    }
    Ok(shapes)
}
