import { basename } from 'node:path'
import blankSpace from 'ts-blank-space'
import typescript from 'typescript'

const { ModuleKind, ScriptTarget, transpileModule } = typescript

/**
 * Loads TypeScript with spaces in the place of its types, so that every line and column is where it was written. The
 * modules are node's own: what the tests run is as fast as what the product runs.
 */
export async function load(url, context, nextLoad) {
  const [file] = url.split('?')
  if (!file.endsWith('.ts')) return nextLoad(url, context)
  const { source } = await nextLoad(url, { ...context, format: 'module' })
  return { format: 'module', shortCircuit: true, source: lowered(basename(file), blankSpace(source.toString())) }
}

const COMPILER_OPTIONS = {
  allowJs: true,
  inlineSourceMap: true,
  inlineSources: true,
  module: ModuleKind.ESNext,
  target: ScriptTarget.ES2023,
}

/** Node 20 does not know `using` yet: the few files that have it are compiled. */
function lowered(fileName, source) {
  if (!/^\s*(?:await )?using /m.test(source)) return source
  return transpileModule(source, { fileName: fileName.replace(/ts$/, 'js'), compilerOptions: COMPILER_OPTIONS })
    .outputText
}
