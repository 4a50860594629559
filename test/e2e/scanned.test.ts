import { beforeAll, expect } from 'vitest'
import { openExample, openThinker, sendByHttp, sendEverywhere, startWith } from '../support/scanned-server.ts'
import { requireBuild, type Server } from '../support/server-process.ts'
import { command, curl, testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/* The scanner of docs/examples, and one that only thinks, behind the built server and before curl. */

const EICAR = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'

beforeAll(requireBuild)

async function api(server: Server, path: string, change?: object): Promise<string> {
  const { key, secret } = server.cli
  const headers = { authorization: `Bearer ${key}:${secret}`, 'content-type': 'application/json' }
  const sent = change && { method: 'PATCH', body: JSON.stringify(change) }
  const answer = await fetch(server.address('http') + path, { headers, ...sent })
  expect(answer.ok).toBe(true)
  return answer.text()
}

const found = async (server: Server, query: string) =>
  JSON.parse(await api(server, `/v1/query?q=${encodeURIComponent(query)}`)).objects

testWith(
  [curl, command('python3', 'python3')],
  'what the scanner refuses is refused through every door, and what none has judged is quarantined',
  async () => {
    const scanner = await openExample()
    await using server = await startWith(temporaryFolder(), { url: scanner.url, policy: 'quarantine' })
    expect(await sendEverywhere(server, EICAR)).toEqual({
      http: expect.stringMatching(/< HTTP\/1.1 422 .*"a scanner refused it: Eicar-Test-Signature"/s),
      ftp: expect.stringContaining('< 550 a scanner refused it: Eicar-Test-Signature'),
      smtp: expect.stringContaining('< 550 5.7.1 a scanner refused it: Eicar-Test-Signature'),
    })
    expect(await found(server, 'object.bucket:inbox')).toEqual([])
    const stored = {
      http: expect.stringContaining('< HTTP/1.1 201'),
      ftp: expect.stringContaining('< 226 '),
      smtp: expect.stringContaining('< 250 2.6.0'),
    }
    expect(await sendEverywhere(server, 'a letter')).toEqual(stored)
    expect(await found(server, 'scan.verdict:clean')).toHaveLength(3)
    await scanner.stop()
    expect(await sendEverywhere(server, EICAR)).toEqual(stored)
    const listed = await api(server, '/v1/quarantine')
    expect(listed.match(/it was not scanned: connect ECONNREFUSED 127\.0\.0\.1:/g)).toHaveLength(3)
    await api(server, `/v1/applications/${server.cli.key}`, { policy: { scan: 'refuse' } })
    expect(await sendEverywhere(server, 'a letter')).toEqual({
      http: expect.stringMatching(/< HTTP\/1.1 503 .*"it could not be scanned"/s),
      ftp: expect.stringContaining('< 450 it could not be scanned'),
      smtp: expect.stringContaining('< 451 4.3.2 it could not be scanned'),
    })
    expect((await api(server, '/metrics')).match(/^cenote_scan_seconds_count\S* \d+$/gm)?.sort()).toEqual([
      'cenote_scan_seconds_count{verdict="clean"} 3',
      'cenote_scan_seconds_count{verdict="refused"} 3',
      'cenote_scan_seconds_count{verdict="unknown"} 6',
    ])
    expect((await server.stop()).stderr).toContain('an upload was not scanned')
  },
)

testWith([curl], 'a server that is stopped while the scanner thinks lets senders know, and stops', async () => {
  const { url, asked } = await openThinker()
  await using server = await startWith(temporaryFolder(), { url, policy: 'accept' }, { drainMsMax: 1000 })
  const said = sendByHttp(server, 'a letter')
  await asked
  expect(await server.stop()).toMatchObject({ code: 0 })
  expect(await said).toMatch(/< HTTP\/1.1 503 .*"it was not scanned: the server is closing"/s)
})
