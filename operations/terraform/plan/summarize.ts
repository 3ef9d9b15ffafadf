/** Reads Terraform's plan of one stack: what changes and why, by name and never by value. */
import { parsedJson } from '../../lib/text/json';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { holdsFiles } from '../../../config/node';
import type { Drift, PlannedChange } from './report';
import { attributesOf, type ResourceChange, type SynthesizedStack, type TerraformPlan } from './terraform-plan';

/** Where the operations of a stack declare what makes them run again; the input among it is JSON. */
const TRIGGERS = 'triggers_replace';

/** What a stack says of itself by which a change in an earlier one reaches it. */
export interface StackLinks {
  /** Its operations, with what each one's triggers name: `stack.output` of others, addresses of its own. */
  readonly operations: readonly {
    readonly change: PlannedChange;
    readonly triggers: Readonly<Record<string, string[]>>;
  }[];
  /** Addresses that each of its outputs names. */
  readonly outputs: Readonly<Record<string, string[]>>;
}

export interface StackSummary {
  readonly changes: PlannedChange[];
  readonly drift: Drift[];
  readonly outputs: string[];
  readonly destroys: number;
}

export function summarizePlan(plan: TerraformPlan, declared: SynthesizedStack): StackSummary {
  const acted = plan.resource_changes.filter(({ change }) => acts(change.actions));
  const changes = acted.map((resource) => plannedChange(resource, declared));
  return {
    changes,
    drift: plan.resource_drift.flatMap((resource) => driftThatMatters(resource, acted)),
    outputs: Object.entries(plan.output_changes).flatMap(([name, { actions }]) => (acts(actions) ? [name] : [])),
    destroys: changes.filter(({ actions, operation }) => actions.includes('delete') && operation === undefined).length,
  };
}

/** Everything that a stack declares, as it is created by a first deploy. */
export function firstDeploy(declared: SynthesizedStack): PlannedChange[] {
  return Object.entries(declared.resource).flatMap(([type, resources]) =>
    Object.keys(resources).map((name) => ({
      address: `${type}.${name}`,
      type,
      actions: ['create' as const],
      attributes: [],
      ...operationOf(`${type}.${name}`, declared),
      ...concernsOf({}, declared.resource[type]?.[name]?.[TRIGGERS]),
    })),
  );
}

/** @param declared with references as CDKTF writes them: other stacks by what they put out, own resources by address */
export function linksOf(declared: SynthesizedStack): StackLinks {
  return {
    operations: firstDeploy(declared)
      .filter(({ operation }) => operation !== undefined)
      .map(({ address, type, operation = '' }) => ({
        change: { address, type, actions: ['delete', 'create'], attributes: [], operation },
        triggers: Object.fromEntries(
          Object.entries(attributesOf(declaredAt(address, declared)?.[TRIGGERS])).map(([name, value]) => [
            name,
            references(value),
          ]),
        ),
      })),
    outputs: Object.fromEntries(Object.entries(declared.output).map(([name, { value }]) => [name, references(value)])),
  };
}

function references(value: unknown): string[] {
  const text = JSON.stringify(value ?? null);
  const others = text.matchAll(
    /data\.terraform_remote_state\.cross-stack-reference-input-([\w-]+)\.outputs\.([\w-]+)/g,
  );
  const own = text.matchAll(/\$\{((?:terraform_data|docker_\w+|vault_\w+)\.[\w-]+)\.id\}/g);
  return [
    ...[...others].map(([, stack, output]) => `${stack}.${output}`),
    ...[...own].map(([, address = '']) => address),
  ];
}

function acts(actions: readonly string[]): boolean {
  return actions.some((action) => action !== 'no-op' && action !== 'read');
}

function plannedChange({ address, type, change }: ResourceChange, declared: SynthesizedStack): PlannedChange {
  const { actions, before, after, after_unknown: unknown, replace_paths: paths } = change;
  const deletes = actions.includes('delete');
  return {
    address,
    type,
    actions,
    attributes: actions.length === 1 && actions[0] === 'update' ? changedNames(before, after, unknown) : [],
    ...(paths === undefined ? {} : { replaces: [...new Set(paths.flatMap((path) => reasons(path, change)))] }),
    ...(actions.includes('create') ? operationOf(address, declared) : {}),
    ...concernsOf(attributesOf(before)[TRIGGERS], attributesOf(after)[TRIGGERS]),
    ...(deletes && holdsData(address, type, before, declared) ? { destroysData: true as const } : {}),
  };
}

/** Names of attributes with another value after than before. What is empty one way or another is the same. */
function changedNames(before: unknown, after: unknown, unknown: unknown): string[] {
  const [old, next, later] = [attributesOf(before), attributesOf(after), attributesOf(unknown)];
  const isLater = (name: string): boolean => later[name] !== undefined && !isEmpty(later[name]);
  return [...new Set([...Object.keys(old), ...Object.keys(next), ...Object.keys(later)])]
    .filter((name) => isLater(name) || !sameValue(old[name], next[name]))
    .sort();
}

function sameValue(a: unknown, b: unknown): boolean {
  return (isEmpty(a) && isEmpty(b)) || isDeepStrictEqual(a, b);
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isEmpty);
  return value === undefined || value === null || value === '' || value === false || value === 0;
}

/** A path as text; for the triggers of an operation the ones that changed, and what changed in its input. */
function reasons(path: readonly (string | number)[], change: ResourceChange['change']): string[] {
  const [first, ...rest] = path;
  if (first !== TRIGGERS || rest.length > 0) return [path.filter((part) => typeof part === 'string').join('.')];
  const [old, next] = [attributesOf(change.before)[TRIGGERS], attributesOf(change.after)[TRIGGERS]];
  const later = attributesOf(change.after_unknown)[TRIGGERS];
  if (later === true) return [TRIGGERS];
  const names = changedNames(old, next, later).flatMap((name) => {
    if (name !== 'input') return [name];
    const inner = changedNames(parsed(attributesOf(old)[name]), parsed(attributesOf(next)[name]), undefined);
    return inner.length === 0 ? [name] : inner.map((key) => `${name}.${key}`);
  });
  return names.length === 0 ? [TRIGGERS] : names;
}

const parsed = (json: unknown): unknown => (typeof json === 'string' ? parsedJson(json) : undefined);

/** What the input of an operation names that is new, or no longer as before. */
function concernsOf(before: unknown, after: unknown): { concerns?: string[] } {
  const [old, next] = [namedIn(before), namedIn(after)];
  const concerns = Object.entries(next).flatMap(([name, settings]) => {
    if (!(name in old)) return [`${name} (new)`];
    const changed = changedNames(old[name], settings, undefined);
    return changed.length === 0 ? [] : [`${name} (${changed.join(', ')})`];
  });
  const left = Object.keys(old).filter((name) => !(name in next));
  // where the new input is not known yet, what it drops is not known either
  if (Object.keys(next).length > 0) concerns.push(...left.map((name) => `${name} (no longer declared, stays)`));
  return concerns.length === 0 ? {} : { concerns };
}

const namingInput = z.object({
  keys: z.array(z.string()).default([]),
  buckets: z.array(z.looseObject({ name: z.string() })).default([]),
});

function namedIn(triggers: unknown): Record<string, unknown> {
  const { success, data } = namingInput.safeParse(parsed(attributesOf(triggers).input));
  if (!success) return {};
  return Object.fromEntries([
    ...data.keys.map((key) => [`key ${key}`, {}] as const),
    ...data.buckets.map(({ name, ...settings }) => [`bucket ${name}`, settings] as const),
  ]);
}

function operationOf(address: string, declared: SynthesizedStack): { operation?: string } {
  const command = declaredAt(address, declared)?.provisioner?.[0]?.['local-exec']?.command;
  const operation = command?.split(' ').at(-1);
  return operation === undefined ? {} : { operation };
}

/**
 * Whether keys or objects are lost with it. What declares `prevent_destroy`, one way or the other, says so; something
 * that is not declared any more is judged by its kind.
 */
function holdsData(address: string, type: string, before: unknown, declared: SynthesizedStack): boolean {
  const resource = declaredAt(address, declared);
  if (resource !== undefined) return resource.lifecycle?.prevent_destroy !== undefined;
  const name = attributesOf(before).name;
  return type === 'vault_mount' || (type === 'docker_volume' && !(typeof name === 'string' && holdsFiles(name)));
}

function declaredAt(address: string, declared: SynthesizedStack) {
  const [type = '', name = ''] = address.split('.');
  return declared.resource[type]?.[name];
}

/**
 * What was changed outside of Terraform, as far as the plan would undo it. Terraform reports every attribute that a provider reads
 * back in another form as drift, which says nothing.
 */
function driftThatMatters({ address, type, change }: ResourceChange, acted: readonly ResourceChange[]): Drift[] {
  const planned = acted.find((resource) => resource.address === address)?.change;
  if (planned === undefined) return [];
  const { actions } = change;
  if (actions.includes('delete')) return [{ address, type, actions, attributes: [] }];
  // what is replaced differs in everything that is only known afterwards
  const putBack = new Set(
    planned.replace_paths?.map(([first]) => String(first)) ?? changedNames(planned.before, planned.after, {}),
  );
  const attributes = changedNames(change.before, change.after, {}).filter((name) => putBack.has(name));
  return attributes.length === 0 ? [] : [{ address, type, actions, attributes }];
}
