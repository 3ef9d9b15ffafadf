/**
 * Terraform expressions about files, so that a file is looked at when the plan is made and never when the app is built.
 */

/** SHA-256 of a file as the plan finds it, or `absent`: a plan works before the file exists. */
export function fileHash(file: string): string {
  return `\${fileexists(${quoted(file)}) ? filesha256(${quoted(file)}) : "absent"}`;
}

/** The text of a file, empty where there is none. */
export function fileText(file: string): string {
  return `\${fileexists(${quoted(file)}) ? file(${quoted(file)}) : ""}`;
}

/** SHA-256 of a file, or of what is in a folder, as the plan finds it; a plan works where there is neither. */
export function treeHash(source: string): string {
  const folder = quoted(source);
  const file = `filesha256(format("%s/%s", ${folder}, name))`;
  const files = `join(" ", [for name in fileset(${folder}, "*") : format("%s %s", name, ${file})])`;
  // filesha256 fails for a folder
  return `\${try(filesha256(${folder}), sha256(${files}))}`;
}

/**
 * The generation of files that age, see docs/adr/0008-renewal-in-the-plan.md.
 *
 * The operation that makes such files leaves a note beside them: `{"generation": 3, "renewAfter": "2026-11-22T00:00:00Z"}`.
 *
 * | note    | clock             | files       | generation | so the operation |
 * |---------|-------------------|-------------|------------|------------------|
 * | absent  | any               | any         | 1          | runs, writes 1   |
 * | says 3  | before renewAfter | all there   | 3          | does not run     |
 * | says 3  | before renewAfter | one missing | 4          | runs, writes 4   |
 * | says 3  | after renewAfter  | any         | 4          | runs, writes 4   |
 *
 * The clock is Terraform's at plan time, so the app stays free of one and two synths are equal.
 */
export function renewalGeneration(noteFile: string, files: readonly string[] = []): string {
  const note = `jsondecode(file(${quoted(noteFile)}))`;
  const late = `timecmp(plantimestamp(), ${note}.renewAfter) >= 0`;
  const there = files.map((file) => `fileexists(${quoted(file)})`).join(', ');
  const due = files.length === 0 ? late : `${late} || !alltrue([${there}])`;
  return `\${fileexists(${quoted(noteFile)}) ? tostring(${note}.generation + (${due} ? 1 : 0)) : "1"}`;
}

/**
 * How many runs of an operation were cut short, see docs/adr/0024-operations-that-were-killed.md: a number in the journal
 * that `operations/run` keeps, and one more while there is the mark of a run that did not come to its end.
 */
export function interruptedRuns(journal: string): string {
  const counted = `(fileexists(${quoted(journal)}) ? tonumber(trimspace(file(${quoted(journal)}))) : 0)`;
  return `\${tostring(${counted} + (fileexists(${quoted(`${journal}.running`)}) ? 1 : 0))}`;
}

/** A string of Terraform's language, such as a path in an expression. */
export function quoted(text: string): string {
  return JSON.stringify(literal(text));
}

/** Text that Terraform takes as it is, such as a path with `${` in it. */
export function literal(text: string): string {
  // a function, because `$$` in a replacement text means `$`
  return text.replaceAll('${', () => '$${').replaceAll('%{', '%%{');
}
