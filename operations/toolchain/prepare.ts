/**
 * Everything that has to be on a machine before `cdktf deploy` can run, as a list of steps. Each step finds out whether
 * it was done already, so an interrupted run is finished by the next one.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { resolveEngine } from '../../config/docker/docker-engine';
import type { Environment, VaultDistribution } from '../../config/environment';
import type { Toolchain } from '../../config/toolchain';
import { DISTRIBUTION_NAMES, distributionOf } from '../../config/vault/vault';
import { linkMc, toolchainFile, writeFindings } from './findings';
import { UsageError } from '../lib/errors';
import { cacheLayout, requireOwnCache } from './cache';
import { capture } from '../lib/command';
import { checkDisk } from './disk';
import { askEngine, type EngineInfo, ensureEngine } from '../docker/engine/docker-engine';
import { buildProgram, locateProgram, modulesAreHere } from './go/go-build';
import {
  anyGoWillDo,
  FETCHED_GO_BYTES,
  fetchGo,
  findGo,
  machineGo,
  PINNED_GO,
  requireGoProxy,
} from './go/go-toolchain';
import { fetchHaproxy, requireApt } from './debian/haproxy';
import { caBundle, haproxyRecipe, imageContext, imageRecipes } from './images/image-contexts';
import { findProgram, goPlatform, type Machine, thisMachine } from '../lib/machine';
import {
  findBusybox,
  findTerraform,
  install,
  type Missing,
  missingBusybox,
  missingEngine,
  missingGo,
  type TerraformProgram,
} from './prerequisites';
import { type BuiltProvider, dockerProvider, type GoProgram, mc, opentofu, vaultProvider } from './go/programs';
import {
  chooseProviders,
  createMirror,
  type ForcedProviders,
  forcedProviders,
  otherVersions,
  type ProviderChoice,
  userConfiguration,
  versionsToDownload,
} from './go/providers';
import { registryProblem } from './images/registry';
import type { Step, StepContext } from '../lib/step';
import { writeTerraformSettings } from './terraform-settings';

/** What an environment wants from the toolchain. */
export interface ToolchainRequest {
  readonly images: 'build' | 'registry';
  /** What an embedded Vault is. @default vault */
  readonly vault?: VaultDistribution;
  readonly providers?: ForcedProviders | undefined;
  /** Whether an image of HAProxy is needed. @default false */
  readonly balancer?: boolean;
  /** Whether this machine may need an engine of its own: not where each of several hosts names one. @default true */
  readonly ownEngine?: boolean;
}

/** What an environment needs. */
export function toolchainRequest({
  images,
  providers,
  hosts,
  keyStore,
}: Pick<Environment, 'images' | 'providers' | 'hosts' | 'keyStore'>): ToolchainRequest {
  const isCluster = hosts !== undefined;
  const vault = distributionOf({ keyStore });
  return { images: images.source, vault, providers, balancer: isCluster, ownEngine: !isCluster };
}

export interface ToolchainSteps {
  /** Programs of the machine, installed where that is allowed. */
  readonly prerequisites: Step;
  /** A Docker Engine that answers. */
  readonly engine: Step;
  /** Images and providers; the last of them writes `.toolchain/toolchain.json`. */
  readonly builds: readonly Step[];
}

/** What the linker writes before a binary is done, and the largest of the binaries. */
const LINKER_BYTES = 1.2e9;
const BINARY_BYTES = 0.15e9;

const SETTINGS_FOLDER = path.dirname(toolchainFile);

/** The steps for one request. They share what they find, so they are to be run in this order, once. */
export function prepareToolchain(request: ToolchainRequest, machine: Machine = thisMachine()): ToolchainSteps {
  const cache = cacheLayout();
  const binaries = new Map<string, string>();
  let terraform: TerraformProgram | undefined;
  let providers: ProviderChoice | undefined;
  let engine: EngineInfo | undefined;
  let images: Toolchain['images'];

  const { vault = 'vault' } = request;
  const ownRecipes = imageRecipes.filter(({ name }) => name === vault || !(name in DISTRIBUTION_NAMES));
  const buildsBalancer = request.images === 'build' && request.balancer === true;
  const imagePrograms = request.images === 'build' ? ownRecipes.flatMap((recipe) => recipe.programs) : [];
  const mirroredProviders = (): BuiltProvider[] =>
    providers?.source === 'mirror' ? [dockerProvider, vaultProvider] : [];
  const needed = (): GoProgram[] => [
    ...imagePrograms,
    ...mirroredProviders(),
    ...(terraform === undefined ? [opentofu] : []),
  ];

  const choose = async (signal: AbortSignal): Promise<ProviderChoice> => {
    const forced = forcedProviders(request.providers);
    const own = userConfiguration();
    const problem =
      own === undefined
        ? await registryProblem(terraform?.flavour ?? 'tofu', {
            wanted: otherVersions(forced),
            downloads: versionsToDownload(forced),
            signal,
          })
        : undefined;
    return chooseProviders({ forced, userConfiguration: own, registryProblem: problem });
  };
  const isBuilt = (program: GoProgram): boolean => {
    const file = binaries.get(program.name);
    return file !== undefined && existsSync(file);
  };
  const unbuilt = (): GoProgram[] => needed().filter((program) => !isBuilt(program));
  const needsGo = (): boolean => unbuilt().length > 0 && findGo(cache) === undefined;
  const requireModules = async ({ signal, report }: StepContext): Promise<void> => {
    if (unbuilt().length === 0) return;
    await requireGoProxy(cache, { signal, onProgress: report }, (go) =>
      unbuilt().every((program) => modulesAreHere(program, go)),
    );
  };

  const prerequisites: Step = {
    title: 'Prerequisites',
    run: async (context) => {
      requireOwnCache(cache);
      if (buildsBalancer) requireApt(cache, machine);
      terraform = findTerraform();
      providers = await choose(context.signal);
      for (const program of needed()) binaries.set(program.name, (await locateProgram(cache, program)).file);
      const missing: Missing[] = [];
      const own = machineGo();
      const lacksGo = needsGo() && (own === undefined || !anyGoWillDo());
      if (lacksGo) missing.push(missingGo(own?.version, anyGoWillDo()));
      else await requireModules(context);
      if (request.images === 'build' && findBusybox() === undefined) missing.push(missingBusybox);
      const answer = (request.ownEngine ?? true) ? await askEngine() : undefined;
      if (answer !== undefined && 'problem' in answer && needsEngineInstalled(answer.problem))
        missing.push(missingEngine(answer.problem));
      await install(missing, machine, context);
      if (lacksGo) await requireModules(context);
      const installed = missing.flatMap((item) => item.aptPackages);
      return [
        `Node ${process.versions.node}`,
        terraform === undefined
          ? 'no Terraform: OpenTofu is built'
          : `${terraform.flavour === 'tofu' ? 'OpenTofu' : 'Terraform'} ${terraform.version}`,
        ...(installed.length > 0 ? [`installed ${installed.join(', ')}`] : []),
      ].join(', ');
    },
  };

  const engineStep: Step = {
    title: 'Docker Engine',
    run: async (context) => {
      engine = await ensureEngine(machine, context);
      return `${engine.version}, ${engine.architecture}`;
    },
  };

  const chooseStep: Step = {
    title: 'Terraform providers',
    run: () => {
      if (providers === undefined) throw new Error('the prerequisites step did not run');
      const versions = `docker ${providers.docker}, vault ${providers.vault}`;
      const own = userConfiguration();
      if (providers.source === 'mirror') return Promise.resolve(`built here: ${versions}`);
      return Promise.resolve(own === undefined ? `from the registry: ${versions}` : `as ${own} says: ${versions}`);
    },
  };

  const diskStep: Step = {
    title: 'Disk space',
    applies: () => unbuilt().length > 0,
    run: async () => {
      const missing = unbuilt();
      const count = missing.length;
      const bytesOf = (kind: keyof GoProgram['diskMb']): number =>
        missing.reduce((sum, { diskMb }) => sum + diskMb[kind] * 1e6, 0);
      const go = findGo(cache)?.program ?? machineGo()?.file ?? 'go';
      const [objects = '', modules = '', temporary = ''] =
        capture(go, ['env', 'GOCACHE', 'GOMODCACHE', 'GOTMPDIR'])?.split('\n') ?? [];
      await checkDisk([
        { folder: modules, bytes: bytesOf('modules'), purpose: 'Go modules' },
        { folder: objects, bytes: bytesOf('objects'), purpose: 'compiled packages' },
        { folder: temporary || cache.root, bytes: LINKER_BYTES, purpose: 'the linker' },
        { folder: cache.root, bytes: count * BINARY_BYTES, purpose: 'programs' },
        ...(needsGo() ? [{ folder: cache.root, bytes: FETCHED_GO_BYTES, purpose: `Go ${PINNED_GO}` }] : []),
      ]);
      return `enough to build ${count} ${count === 1 ? 'program' : 'programs'}`;
    },
  };

  const locateStep: Step = {
    title: 'Built programs',
    run: () => {
      if (engine !== undefined && imagePrograms.length > 0) checkArchitecture(engine);
      const found = `${needed().length - unbuilt().length} of ${needed().length} in ${cache.root}`;
      return Promise.resolve(needed().length === 0 ? 'none needed' : found);
    },
  };

  const goStep: Step = {
    title: `Fetch Go ${PINNED_GO}`,
    applies: needsGo,
    run: async ({ signal, report }) => {
      await fetchGo(cache, { signal, onProgress: report });
      return undefined;
    },
  };

  const buildStep = (program: GoProgram): Step => ({
    title: `Build ${program.name}`,
    applies: () => needed().includes(program) && !isBuilt(program),
    run: async (context) => {
      await buildProgram(cache, program, { signal: context.signal, onProgress: context.report });
      return undefined;
    },
  });

  const contextsStep: Step = {
    title: 'Image contexts',
    applies: () => request.images === 'build',
    run: async ({ signal, report }) => {
      const busybox = findBusybox();
      if (busybox === undefined) throw new Error('busybox was checked by the prerequisites step');
      const shared = { busybox, caBundle: caBundle() };
      const made: Partial<NonNullable<Toolchain['images']>> = {};
      const work = { signal, onProgress: report };
      const recipes = [
        ...ownRecipes,
        ...(buildsBalancer ? [haproxyRecipe(await fetchHaproxy(cache, work, machine))] : []),
      ];
      for (const recipe of recipes) made[recipe.name] = await imageContext(cache, recipe, binaries, shared, work);
      images = made as NonNullable<Toolchain['images']>;
      return recipes.map((recipe) => recipe.name).join(', ');
    },
  };

  const settingsStep: Step = {
    title: 'Toolchain settings',
    run: async ({ signal, report }) => {
      if (providers === undefined) throw new Error('the providers step did not run');
      const builds = new Map(mirroredProviders().map((provider) => [provider, binaries.get(provider.name) ?? '']));
      const mirror = builds.size > 0 ? await createMirror(cache, builds, { signal, onProgress: report }) : undefined;
      const tofu = terraform === undefined ? binaries.get(opentofu.name) : undefined;
      const client = binaries.get(mc.name);
      if (client !== undefined) linkMc(client);
      writeTerraformSettings(SETTINGS_FOLDER, { mirror, opentofu: tofu });
      writeFindings({ ...(images !== undefined && { images }), providers });
      return path.relative(process.cwd(), toolchainFile);
    },
  };

  const buildable = [...imagePrograms, dockerProvider, vaultProvider, opentofu];
  return {
    prerequisites,
    engine: engineStep,
    builds: [chooseStep, locateStep, diskStep, goStep, ...buildable.map(buildStep), contextsStep, settingsStep],
  };
}

/** Whether an engine that does not answer is one that is not there: a host that was named is another's business. */
function needsEngineInstalled(problem: string): boolean {
  const installed = findProgram('dockerd', [], `${process.env.PATH ?? ''}:/usr/sbin`) !== undefined;
  return !installed && resolveEngine({}, process.env).namedBy === undefined && !problem.includes('EACCES');
}

/** The programs of the images are built for this machine and run by the engine. */
function checkArchitecture(engine: EngineInfo): void {
  const here = goPlatform().architecture;
  if (engine.architecture !== here) {
    throw new UsageError(
      `images can only be built for the architecture of this machine (${here}), the Docker Engine has: ${engine.architecture}`,
      'Write `images: {source: registry, …}` in the environment file, or run this on a machine like the engine’s.',
    );
  }
}
