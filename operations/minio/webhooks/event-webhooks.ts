/**
 * Webhooks that get events of buckets. Like the audit webhook they are settings of the server, which MinIO keeps encrypted:
 * a variable of the container would show the token to who can ask Docker. MinIO reads them when it starts (minio/minio,
 * internal/config/config.go, SubSystemsDynamic), so a change restarts it.
 */
import type { QueueConfiguration, S3Client } from '@aws-sdk/client-s3';
import {
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
} from '@aws-sdk/client-s3';
import { isDeepStrictEqual } from 'node:util';
import type { OperationInput } from '../../../config/operation-inputs';
import { ExternalError, messageOf } from '../../lib/errors';
import { Secret } from '../../lib/secret';
import { NotYet, waitFor } from '../../lib/wait';
import { webhookToken } from './audit-webhook';
import { type MinioAdmin, RefusedByMinio } from '../minio-admin';

type Input = OperationInput<'provision-buckets'>;
type Webhooks = NonNullable<Input['webhooks']>;
type Events = NonNullable<Input['buckets'][number]['events']>;
type Admin = Pick<MinioAdmin, 'exportSettings' | 'putSetting' | 'removeSetting' | 'eventTargets'>;

const SUBSYSTEM = 'notify_webhook';
/** Targets of this name are the deploy's; others are left alone. */
const PREFIX = 'ebs-';

/** As `QueueArn` of a rule names a webhook. */
const webhookArn = (region: string, name: string): string => `arn:minio:sqs:${region}:${PREFIX}${name}:webhook`;

const isOfDeploys = (arn: string): boolean => arn.split(':')[4]?.startsWith(PREFIX) === true;
const isOurs = ({ QueueArn = '' }: QueueConfiguration): boolean => isOfDeploys(QueueArn);

/**
 * Makes MinIO's webhooks those that are declared. Where nothing changes it is not restarted.
 *
 * @param restart starts MinIO again and waits until it serves
 * @throws ExternalError for a webhook at whose address no server listens
 */
export async function provisionWebhooks(
  admin: Admin,
  region: string,
  { declared, queueFolder }: Pick<Webhooks, 'declared' | 'queueFolder'>,
  restart: () => Promise<void>,
): Promise<void> {
  if (declared.length === 0 && !(await admin.eventTargets()).some(isOfDeploys)) return;
  // what MinIO works with, not what was set since its start: a run that was ended between is made up for
  const present = webhooksIn(await admin.exportSettings());
  const wanted = declared.map(({ name, endpoint, tokenFile, queueSize }) => ({
    name: `${PREFIX}${name}`,
    endpoint,
    fields: {
      endpoint,
      auth_token: tokenFile === undefined ? '' : webhookToken(`minio.webhooks: ${name}`, tokenFile).reveal(),
      queue_dir: queueFolder,
      queue_limit: String(queueSize),
    },
  }));
  const changed = wanted.filter(({ name, fields }) => !isDeepStrictEqual(present[name], fields));
  const removed = Object.keys(present).filter(
    (name) => name.startsWith(PREFIX) && !wanted.some((webhook) => webhook.name === name),
  );
  for (const { name, endpoint, fields } of changed) {
    const values = Object.entries(fields).map(([key, value]) => `${key}="${value}"`);
    try {
      await admin.putSetting(new Secret(`${SUBSYSTEM}:${name} enable=on ${values.join(' ')}`));
    } catch (error) {
      if (!(error instanceof RefusedByMinio)) throw error;
      throw new ExternalError(
        `webhook ${name.slice(PREFIX.length)} was not taken: ${messageOf(error)}`,
        `MinIO connects to a new webhook once: see whether ${endpoint} can be reached from its container`,
        { cause: error },
      );
    }
  }
  for (const name of removed) await admin.removeSetting(`${SUBSYSTEM}:${name}`);
  if (changed.length + removed.length === 0) return;
  process.stderr.write(`restart MinIO, which reads its ${changed.length + removed.length} changed webhooks then\n`);
  await restart();
  const arns = declared.map(({ name }) => webhookArn(region, name));
  // known a moment after MinIO serves (cmd/server-main.go, initBucketTargets)
  await waitFor({ what: 'MinIO to know its webhooks', timeoutMs: 60_000, intervalMs: 200 }, async () => {
    const known = await admin.eventTargets();
    return arns.every((arn) => known.includes(arn)) ? true : new NotYet(`it knows ${known.join(', ') || 'none'}`);
  });
}

/** The fields that a deploy sets, by the names of the webhooks, from lines of `mc admin config export`. */
function webhooksIn(settings: string): Record<string, Record<string, string>> {
  const webhooks: Record<string, Record<string, string>> = {};
  for (const line of settings.split('\n')) {
    const name = new RegExp(`^${SUBSYSTEM}:(\\S+) `).exec(line)?.[1];
    if (name === undefined) continue;
    const fields = Object.fromEntries(
      [...line.matchAll(/ (\w+)=(?:"([^"]*)"|(\S*))/g)].map(([, key = '', quoted, plain]) => [
        key,
        quoted ?? plain ?? '',
      ]),
    );
    const { endpoint = '', auth_token = '', queue_dir = '', queue_limit = '' } = fields;
    webhooks[name] = { endpoint, auth_token, queue_dir, queue_limit };
  }
  return webhooks;
}

const S3_EVENTS = { created: 's3:ObjectCreated:*', removed: 's3:ObjectRemoved:*' } as const;

/** A rule of S3 for each that is declared. */
export function eventRules(events: Events, region: string): QueueConfiguration[] {
  return events.map(({ webhook, on, prefix, suffix }, index) => {
    const FilterRules = [
      ...(prefix === undefined ? [] : [{ Name: 'prefix' as const, Value: prefix }]),
      ...(suffix === undefined ? [] : [{ Name: 'suffix' as const, Value: suffix }]),
    ];
    return {
      Id: `rule-${index + 1}`,
      QueueArn: webhookArn(region, webhook),
      Events: on.map((what) => S3_EVENTS[what]),
      ...(FilterRules.length === 0 ? {} : { Filter: { Key: { FilterRules } } }),
    };
  });
}

/** The rules of a bucket for webhooks of deploys, in words; `none` where there are none. */
export function eventsText(rules: readonly QueueConfiguration[]): string {
  const texts = rules.filter(isOurs).map(({ QueueArn = '', Events = [], Filter }) => {
    const filters = (Filter?.Key?.FilterRules ?? []).map(
      ({ Name = '', Value = '' }) => ` ${Name.toLowerCase()} ${Value}`,
    );
    return `${[...Events].sort().join(' and ')}${filters.sort().join('')} to ${QueueArn}`;
  });
  return texts.length === 0 ? 'none' : texts.sort().join(', ');
}

export async function readEventRules(s3: S3Client, Bucket: string): Promise<QueueConfiguration[]> {
  return (await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).QueueConfigurations ?? [];
}

/** Puts the declared rules in the place of those for webhooks of deploys; rules for others stay. */
export async function putEventRules(s3: S3Client, Bucket: string, events: Events, region: string): Promise<void> {
  const others = (await readEventRules(s3, Bucket)).filter((rule) => !isOurs(rule));
  const NotificationConfiguration = { QueueConfigurations: [...others, ...eventRules(events, region)] };
  await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
}
