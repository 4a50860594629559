import { beforeAll, expect, test } from 'vitest'
import { cenote, requireBuild } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(requireBuild)

test('an error says names as a terminal may show them', async () => {
  const { code, stderr } = await cenote(temporaryFolder(), ['verify', '--trust', '\u001b[2J'])
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'cenote: could not verify: \\u{1b}[2J is no id of a key, and no file\n',
  })
})
