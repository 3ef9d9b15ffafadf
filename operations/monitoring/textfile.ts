/** What only this project knows of a deployment, as a file for the textfile collector of node_exporter. */
import { X509Certificate } from 'node:crypto';
import { existsSync, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { monitoringNames } from '../../config/deployment-names';
import { leafCertificates } from '../../config/certificates/leaf-certificates';
import { s3CertificateFiles } from '../../config/state/certificate-files';
import { readLastBackup, unsavedKeys } from '../backup/last-backup';
import { readLastDrill } from '../backup/drill/last-drill';
import { type Report, reportSchema } from '../checks/report/model';
import { reportFiles } from '../checks/report/write';
import { messageOf } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { readAwayDrives } from '../state/notes/away-drives';
import { readCanaries } from '../state/notes/canaries';
import type { LoadedEnvironment } from '../state/load';
import { versionsOf } from '../toolchain/versions';

type Labels = Readonly<Record<string, string>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly { readonly labels?: Labels; readonly value: number }[];
}

/**
 * Writes the file where the environment asks for it. What was just done is done whether it can be written or not, so a
 * failure is a warning; that the file is old is what Prometheus sees.
 */
export function leaveMetrics(loaded: LoadedEnvironment, now = new Date()): void {
  const folder = loaded.environment.monitoring?.textfile;
  if (folder === undefined) return;
  try {
    // a folder that node_exporter does not read would hide the mistake
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
    writeFileAtomically(
      path.join(folder, monitoringNames(loaded.environment).textfile),
      metricsText(loaded, now),
      0o644,
    );
  } catch (error) {
    process.stderr.write(
      `warning: the metrics were not written: ${messageOf(error)}; monitoring.textfile must be an existing folder that node_exporter reads\n`,
    );
  }
}

/** The metrics in the text format of Prometheus. Everything is read from the state folder, nothing is asked. */
function metricsText(loaded: LoadedEnvironment, now: Date): string {
  const environment = loaded.environment.name;
  return metricsOf(loaded, now)
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, samples }) => {
      const lines = samples.map(({ labels, value }) => `${name}{${labelText({ environment, ...labels })}} ${value}`);
      return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('\n')}\n`;
    })
    .join('');
}

function labelText(labels: Labels): string {
  const escaped = (value: string): string =>
    value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');
}

function metricsOf(loaded: LoadedEnvironment, now: Date): Metric[] {
  const { state } = loaded;
  const canaries = readCanaries(state.canaries);
  const backup = readLastBackup(state);
  const drill = readLastDrill(state);
  const ends = endsOf(loaded);
  const disk = statfsSync(state.root);
  const single = (name: string, help: string, value: number | undefined, labels: Labels = {}): Metric => ({
    name,
    help,
    samples: value === undefined ? [] : [{ labels, value }],
  });
  const perEnd = (value: (end: End) => number): Metric['samples'] =>
    ends.map((end) => ({ labels: { kind: end.kind, name: end.name }, value: value(end) }));
  return [
    single('ebs_info', 'Versions that are deployed; always 1.', 1, versionsOf(loaded.environment)),
    single('ebs_textfile_timestamp_seconds', 'When this file was written.', secondsOf(now)),
    ...checkMetrics(readReport(reportFiles(state.reports).json)),
    {
      name: 'ebs_expiry_timestamp_seconds',
      help: 'When a certificate, token or SecretID ends.',
      samples: perEnd(({ expires }) => secondsOf(expires)),
    },
    {
      name: 'ebs_expiry_life_seconds',
      help: 'How long it lives in all.',
      samples: perEnd(({ lifeSeconds }) => lifeSeconds),
    },
    single(
      'ebs_backup_timestamp_seconds',
      'When the newest backup was made.',
      backup && secondsOf(new Date(backup.createdAt)),
    ),
    single(
      'ebs_keys_not_in_backup',
      'Master keys that the newest backup does not hold.',
      unsavedKeys(canaries, backup).length,
    ),
    single('ebs_drill_timestamp_seconds', 'When the last drill ended.', drill && secondsOf(new Date(drill.finishedAt))),
    single('ebs_drill_passed', 'Whether the last drill passed.', drill && Number(drill.outcome === 'passed')),
    single(
      'ebs_drill_recovery_seconds',
      'From the start of the restore to the first object, in the last drill.',
      drill?.firstObjectSeconds,
    ),
    single(
      'ebs_drives_unhealed',
      'Drives that were away and were not healed since.',
      Object.keys(readAwayDrives(state)).length,
    ),
    single('ebs_state_free_bytes', 'Free space of the disk of the state folder.', disk.bavail * disk.bsize),
  ];
}

function checkMetrics(report: Report | undefined): Metric[] {
  if (report === undefined) return [];
  const red = report.results.filter(({ status }) => status === 'failed' || status === 'could-not-check');
  return [
    {
      name: 'ebs_check_timestamp_seconds',
      help: 'When the last run of all checks ended.',
      samples: [{ value: secondsOf(new Date(report.finishedAt)) }],
    },
    {
      name: 'ebs_checks',
      help: 'Checks of the last run, by what came of them.',
      samples: Object.entries(report.counts).map(([status, value]) => ({ labels: { status }, value })),
    },
    {
      name: 'ebs_check_failed',
      help: 'A check that did not pass in the last run.',
      samples: red.map(({ id, status, severity }) => ({ labels: { id, status, severity }, value: 1 })),
    },
  ];
}

function readReport(file: string): Report | undefined {
  const text = readIfExists(file);
  return text === undefined ? undefined : reportSchema.parse(JSON.parse(text));
}

/** Something that ends by itself. */
interface End {
  readonly kind: 'ca' | 'certificate' | 'token' | 'secret-id';
  readonly name: string;
  readonly expires: Date;
  readonly lifeSeconds: number;
}

function endsOf({ environment, state }: LoadedEnvironment): End[] {
  const certificates = [
    { kind: 'ca' as const, name: 'ca', file: state.caCertificate },
    ...leafCertificates(environment).map(({ name }) => ({
      kind: 'certificate' as const,
      name,
      file: path.join(state.tls, `${name}.crt`),
    })),
    ...s3CertificateFiles(environment, state).map(({ certificate: file }) => ({
      kind: 'certificate' as const,
      name: path.basename(file, '.crt'),
      file,
    })),
  ];
  return [
    ...certificates.flatMap(({ kind, name, file }) => {
      const pem = readIfExists(file);
      if (pem === undefined) return [];
      const { validFrom, validTo } = new X509Certificate(pem);
      const expires = new Date(validTo);
      return [{ kind, name, expires, lifeSeconds: secondsOf(expires) - secondsOf(new Date(validFrom)) }];
    }),
    ...endOfNote('token', 'vault provisioner', `${state.tls}/provisioner-token.json`),
    ...endOfNote('token', 'minio metrics', state.minioMetricsNote),
    ...endOfNote('secret-id', 'kes', state.secretIdNote),
  ];
}

const note = z.object({ renewAfter: z.iso.datetime(), expires: z.iso.datetime().optional() });

/** What is renewed says when: a third of its life before its end. */
function endOfNote(kind: End['kind'], name: string, file: string): End[] {
  if (!existsSync(file)) return [];
  const { renewAfter, expires } = note.parse(JSON.parse(readIfExists(file) ?? ''));
  if (expires === undefined) return [];
  const end = new Date(expires);
  return [{ kind, name, expires: end, lifeSeconds: 3 * (secondsOf(end) - secondsOf(new Date(renewAfter))) }];
}

const secondsOf = (date: Date): number => Math.round(date.getTime() / 1000);
