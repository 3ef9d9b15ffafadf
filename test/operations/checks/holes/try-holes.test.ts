import type { CheckedRow } from '../../../../config/guard-rules';
import {
  AcceptedRisk,
  CheckFailure,
  type Expectations,
  type OutsideContext,
} from '../../../../operations/checks/check';
import { type Hole, tryHoles } from '../../../../operations/checks/holes/try-holes';
import type { HttpResponse } from '../../../../operations/lib/net/http';

const answer = (status: number, code = ''): HttpResponse => {
  const text = code === '' ? '' : `<Error><Code>${code}</Code></Error>`;
  return { status, headers: {}, bytes: Buffer.from(text), text };
};
const DENIED = answer(403, 'AccessDenied');

function hole(row: CheckedRow, attempt: HttpResponse, more: Partial<Hole> = {}): Hole {
  return {
    row,
    finding: `${row} is open`,
    control: async () => Promise.resolve(answer(200)),
    attempt: async () => Promise.resolve(attempt),
    ...more,
  };
}

async function outcomeOf(holes: readonly Hole[], acceptedRisks: readonly CheckedRow[] = []): Promise<unknown> {
  return outcomeWhere({ acceptedRisks }, holes);
}

async function outcomeWhere(expected: Pick<Expectations, 'acceptedRisks'>, holes: readonly Hole[]): Promise<unknown> {
  const context = { expected: { environment: 'test', masterKeys: [], ...expected } } as unknown as OutsideContext;
  return tryHoles(context, holes).catch((error: unknown) => error);
}

test('what is refused, or taken without doing what it must not, is no finding', async () => {
  const harmless = { hasEffect: async () => Promise.resolve(false) };
  expect(await outcomeOf([hole('archive-upload', DENIED), hole('internal-header', answer(200), harmless)])).toEqual({
    tried: {
      'archive-upload: archive-upload is open': '403 AccessDenied',
      'internal-header: internal-header is open': '200, without effect',
    },
  });
});

test('a hole that names its refusal is refused by that, and knows what the control was answered', async () => {
  const control = async () => Promise.resolve({ ...answer(200), headers: { date: 'now' } });
  const attempt = jest.fn(async () => Promise.resolve(DENIED));
  expect(await outcomeOf([hole('retention-bypass', DENIED, { control, attempt, refusals: [403] })])).toEqual({
    tried: { 'retention-bypass: retention-bypass is open': '403 AccessDenied' },
  });
  expect(attempt).toHaveBeenCalledWith(await control());
});

test('a HEAD is refused in headers, and a refusal by the guard says so', async () => {
  const headers = { 'x-minio-error-code': 'AccessDenied', 'x-minio-error-desc': 'by the rule x of ebs-guard: y' };
  expect(await outcomeOf([hole('internal-header', { ...answer(403), headers })])).toMatchObject({
    tried: { 'internal-header: internal-header is open': '403 AccessDenied by the guard' },
  });
});

test('what is not refused fails, row by row, and says how to close or to accept it', async () => {
  const error = await outcomeOf([
    hole('archive-upload', answer(200), { finding: 'one' }),
    hole('archive-upload', answer(204), { finding: 'two' }),
    hole('form-upload', answer(204)),
    hole('duplicate-part', DENIED),
  ]);
  expect(error).toBeInstanceOf(CheckFailure);
  expect(error).not.toBeInstanceOf(AcceptedRisk);
  expect(error).toMatchObject({
    message: 'archive-upload: one, two; form-upload: form-upload is open',
    fix:
      'deploy MinIO with the guard: `images.source: build`, or the image that `./scripts/images push` builds and pushes. ' +
      'Who takes the risk writes `minio.acceptedRisks: [archive-upload, form-upload]`, and it is in every report',
    evidence: { tried: { 'duplicate-part: duplicate-part is open': '403 AccessDenied' } },
  });
});

test('an image that is built here has the guard, and nobody is told to accept a risk', async () => {
  expect(await outcomeWhere({}, [hole('archive-upload', answer(200))])).toMatchObject({
    message: 'archive-upload: archive-upload is open',
    fix:
      'the image of MinIO that is built here has the guard: `./scripts/up` deploys it. If that image runs, and nothing ' +
      'answers in its place, the guard is broken: report it',
  });
});

test('what is accepted is tried all the same, and said', async () => {
  const holes = [hole('archive-upload', answer(200)), hole('form-upload', answer(200))];
  const accepted = await outcomeOf(holes, ['archive-upload', 'form-upload']);
  expect(accepted).toBeInstanceOf(AcceptedRisk);
  expect(accepted).toMatchObject({
    message: 'archive-upload: archive-upload is open; form-upload: form-upload is open',
  });
  const other = await outcomeOf(holes, ['archive-upload']);
  expect(other).not.toBeInstanceOf(AcceptedRisk);
  expect(other).toMatchObject({
    message: 'form-upload: form-upload is open; accepted: archive-upload: archive-upload is open',
  });
});

test.each<[string, Hole, string]>([
  [
    'the same request as it should be fails, too',
    hole('archive-upload', DENIED, { control: async () => Promise.resolve(answer(400, 'MalformedXML')) }),
    'as it should be it answered 400 MalformedXML, so that a refusal would say nothing',
  ],
  [
    'another answer than the refusal is none',
    hole('retention-bypass', answer(400, 'InvalidRequest'), { refusals: [403] }),
    'nothing is known: it answered 400 InvalidRequest',
  ],
  ['the server fails', hole('archive-upload', answer(503, 'SlowDown')), 'nothing is known: it answered 503 SlowDown'],
])('nobody knows where %s', async (_, one, message) => {
  const error = await outcomeOf([one]);
  expect(error).not.toBeInstanceOf(CheckFailure);
  expect(error).toMatchObject({ message });
});
