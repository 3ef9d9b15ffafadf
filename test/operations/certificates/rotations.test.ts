/** Rotations of certificates, killed in every step: the next run brings them to their end. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { certificateIssue } from '../../../config/state/certificate-files';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { pemCertificates } from '../../../operations/certificates/certificate-authority';
import { issueCertificates, issueNextCa } from '../../../operations/certificates/issue-certificates';
import { beginCa, finishCa } from '../../../operations/certificates/rotate-certificate-authority';
import { rotateCertificates } from '../../../operations/certificates/rotate-certificates';
import { type Phase, Rotation } from '../../../operations/state/rotation';
import type { RotationContext } from '../../../operations/state/rotation-context';
import { everyKill, type Kill, killedIn, runSteps } from '../../helpers/kill';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();

beforeEach(() => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  jest.restoreAllMocks();
});

type Files = Readonly<Record<string, string>>;

/** An environment with certificates, and what of them its programs have. */
class Deployment {
  readonly environment: LoadedEnvironment = loaded(folder());
  readonly input = certificateIssue(this.environment.environment, this.environment.state);
  delivered: Files = {};

  files(): Files {
    const { tls, secret } = this.environment.state;
    return Object.fromEntries(
      [tls, secret.tls].flatMap((at) =>
        readdirSync(at).map((name) => [name, readFileSync(path.join(at, name), 'utf8')] as const),
      ),
    );
  }

  async rotate(what: string, rotate: (context: RotationContext) => Phase[], kill?: Kill): Promise<void> {
    const rotation = Rotation.begin(this.environment.state, what, 'test');
    const phases = rotate({
      loaded: this.environment,
      rotation,
      deploy: (title) => ({
        title,
        run: () => {
          this.delivered = this.files();
          return Promise.resolve(undefined);
        },
      }),
      prove: () => Promise.resolve('proven'),
    });
    await runSteps(rotation.steps(kill === undefined ? phases : killedIn(phases, kill)));
    rotation.end();
  }
}

interface Case {
  readonly what: string;
  readonly rotate: (context: RotationContext) => Phase[];
  readonly steps: number;
  /** CAs that are trusted before, and afterwards. */
  readonly cas: readonly [number, number];
  readonly renewed: boolean;
}
const CASES: readonly Case[] = [
  { what: 'certificates', rotate: rotateCertificates, steps: 3, cas: [1, 1], renewed: true },
  { what: 'ca', rotate: beginCa, steps: 3, cas: [1, 2], renewed: false },
  { what: 'ca --finish', rotate: finishCa, steps: 6, cas: [2, 1], renewed: true },
];

test.each(CASES.flatMap((one) => everyKill(one.steps).map((kill) => ({ ...one, ...kill }))))(
  'rotate $what, killed $when step $step',
  async ({ what, rotate, cas: [before, after], renewed, step, when }) => {
    // GIVEN
    const deployment = new Deployment();
    await issueCertificates(deployment.input);
    if (before === 2) await issueNextCa(deployment.input);
    const { 'ca.crt': oldCas = '', ...old } = deployment.files();
    await rejectionOf(deployment.rotate(what, rotate, { step, when }));
    expect(existsSync(deployment.environment.state.rotation)).toBe(true);

    // WHEN
    await deployment.rotate(what, rotate);

    // THEN
    const files = deployment.files();
    expect(deployment.delivered).toEqual(files);
    const cas = pemCertificates(files['ca.crt'] ?? '').map((pem) => new X509Certificate(pem));
    expect(pemCertificates(oldCas)).toHaveLength(before);
    expect(cas).toHaveLength(after);
    for (const { name } of deployment.input.leaves) {
      const file = `${name}.crt`;
      expect([file, files[file] !== old[file]]).toEqual([file, renewed]);
      const leaf = new X509Certificate(files[file] ?? '');
      expect(cas.some((ca) => leaf.checkIssued(ca) && leaf.verify(ca.publicKey))).toBe(true);
    }
    expect(Object.keys(files).filter((name) => name.includes('.next.'))).toEqual(after === 2 ? ['ca.next.key'] : []);
    expect(existsSync(deployment.environment.state.rotation)).toBe(false);
  },
);

test.each(CASES)('these are all steps of rotate $what', async ({ what, rotate, steps, cas: [before] }) => {
  const deployment = new Deployment();
  await issueCertificates(deployment.input);
  if (before === 2) await issueNextCa(deployment.input);
  let count = 0;
  await deployment.rotate(what, (context) => {
    const phases = rotate(context);
    count = phases.length;
    return phases;
  });
  expect(count).toBe(steps);
});
