/** Tries what docs/guard.md says a server lets through, each beside the same request as it should be. */
import type { CheckedRow } from '../../../config/guard-rules';
import type { HttpResponse } from '../../lib/net/http';
import { everyCase } from '../objects/cases';
import { AcceptedRisk, CheckFailure, type Evidence, type Expectations, type OutsideContext } from '../check';

/** One request that must not get through. */
export interface Hole {
  /** Its row in docs/guard.md, by which it can be accepted as a risk. */
  readonly row: CheckedRow;
  /** What is true where it gets through. */
  readonly finding: string;
  /** The same as it should be: where that fails, a refusal says nothing. */
  readonly control: () => Promise<HttpResponse>;
  /** @param allowed what the control was answered */
  readonly attempt: (allowed: HttpResponse) => Promise<HttpResponse>;
  /**
   * The answers that are a refusal; any other says nothing.
   *
   * @default - every 4xx
   */
  readonly refusals?: readonly number[];
  /**
   * Whether a request that was answered by success did what it must not, or was taken without that.
   *
   * @default - success is what must not be
   */
  readonly hasEffect?: (answer: HttpResponse) => Promise<boolean>;
}

/**
 * Tries all of them, whatever comes of one.
 *
 * @param afterwards looks at what must be the same then
 * @returns how each was refused
 * @throws CheckFailure that names the rows which the server lets through; {@link AcceptedRisk} if every one is accepted
 */
export async function tryHoles(
  { expected }: OutsideContext,
  holes: readonly Hole[],
  afterwards?: () => Promise<Evidence>,
): Promise<Evidence> {
  const outcomes = await everyCase(holes.map((hole) => ({ name: nameOf(hole), run: async () => outcomeOf(hole) })));
  const found = holes.filter((hole) => outcomes[nameOf(hole)] === FOUND);
  const isAccepted = ({ row }: Hole): boolean => expected.acceptedRisks?.includes(row) === true;
  const evidence = { tried: outcomes, ...(await afterwards?.()) };
  if (found.length === 0) return evidence;
  const open = found.filter((hole) => !isAccepted(hole));
  if (open.length === 0) throw new AcceptedRisk(said(found), undefined, evidence);
  const accepted = found.filter(isAccepted);
  const besides = accepted.length === 0 ? '' : `; accepted: ${said(accepted)}`;
  throw new CheckFailure(`${said(open)}${besides}`, fixFor(expected, rowsOf(open)), evidence);
}

const FOUND = 'not refused';

function nameOf({ row, finding }: Hole): string {
  return `${row}: ${finding}`;
}

async function outcomeOf({ control, attempt, refusals, hasEffect }: Hole): Promise<string> {
  const allowed = await control();
  if (!isSuccess(allowed)) {
    throw new Error(`as it should be it answered ${inShort(allowed)}, so that a refusal would say nothing`);
  }
  const answer = await attempt(allowed);
  if (isSuccess(answer)) return (await hasEffect?.(answer)) === false ? `${answer.status}, without effect` : FOUND;
  const isRefusal = refusals?.includes(answer.status) ?? (answer.status >= 400 && answer.status < 500);
  if (!isRefusal) throw new Error(`nothing is known: it answered ${inShort(answer)}`);
  return inShort(answer);
}

export function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

/** Status and code, and who refused it. */
export function inShort({ status, text, headers }: HttpResponse): string {
  // the answer to a HEAD has no body, and MinIO says there what it would
  const said = text === '' ? String(headers['x-minio-error-desc']) : text;
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? headers['x-minio-error-code']?.toString() ?? 'no S3 error';
  return `${status} ${code}${said.includes(' of ebs-guard: ') ? ' by the guard' : ''}`;
}

function said(holes: readonly Hole[]): string {
  return rowsOf(holes)
    .map((row) => {
      const findings = holes.filter((hole) => hole.row === row).map(({ finding }) => finding);
      return `${row}: ${findings.join(', ')}`;
    })
    .join('; ');
}

function rowsOf(holes: readonly Hole[]): CheckedRow[] {
  return [...new Set(holes.map(({ row }) => row))];
}

function fixFor({ environment, acceptedRisks }: Expectations, rows: readonly CheckedRow[]): string {
  if (environment === undefined)
    return 'docs/guard.md says what each of these is; ask whoever makes the server for a fix';
  if (acceptedRisks === undefined) {
    return (
      'the image of MinIO that is built here has the guard: `./scripts/up` deploys it. If that image runs, and nothing ' +
      'answers in its place, the guard is broken: report it'
    );
  }
  return (
    'deploy MinIO with the guard: `images.source: build`, or the image that `./scripts/images push` builds and pushes. ' +
    `Who takes the risk writes \`minio.acceptedRisks: [${rows.join(', ')}]\`, and it is in every report`
  );
}
