/*
 * A message signed by opendkim 2.11.0~beta2 (Debian 12), driven by miltertest: relaxed/simple and relaxed/relaxed. The key was made
 * by `opendkim-genkey -b 2048 -d partner.example -s od` and thrown away.
 */
export const KEY =
  'v=DKIM1; h=sha256; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvPFKNPmwZu3nYESKTj8vqVYL8930p9WH6ku2LhKv4PScVLaO/RovZ8GZ+M9Dp2xFnj0lu7tw6XhWbhHnXALXqtCJnC+1ZEvMG/gkvUzOKrTWWyP0kQpFHHziAIggIOaS1Nxl547yp9ENmx/eHaYkD+PDB979nVYrjAh3Q6TKeY79/tyZjgdxgmB0Qn27nBhzcJGSAYvZuYv+ULXGhrXyEct3TomiXNs8xTwCizXs6LDEzeBmr3OAMvPGcVOYthFOS9MBv/VrCTptye0t7DTa3FY3n+rYydwh7mQMJQWVV+ZvCh4PrS45xPbj4sECbKEONEIQekqvYDhSIfeuNTYCQQIDAQAB'

const SIMPLE = [
  'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=partner.example;',
  '\ts=od; t=1795816014; bh=HJJCeJc9oCpvI8LaXyD6U3jyvxGKegn8AR87y5nuzSc=;',
  '\th=From:To:Subject:Date;',
  '\tb=MrWVW9zVLwcYb3q4VRcXHesgCvIWX12X017dp2jn1/FxtX3OX/kHOYBtRh+Ge3DXK',
  '\t 9/Ba7WT8aXItwnzp8eKXMSgvKHsjPm3S8L5pFFCVflKu9PkdxMK54cybKePpxm1U/X',
  '\t F2xII/u4O8mwl4EEbHlRHpeSkoRQwiPpgM9h+pXfOSAblb7bAIftj15WgUmI98LU3A',
  '\t 0724Ib1mcl723pmvOsHU24ADk7PuP/6jtSAc80CR25NinVM2bzA72YS2SlIRqC41SD',
  '\t J+WUmlJF1DpjK7/hPokXewCQkE2jOYzFmZoWEK2KN1E9cmXj4K/GroX8vIlrWIp/IN',
  '\t CbdgXRGSEh/mA==',
]

const RELAXED = [
  'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=partner.example;',
  '\ts=od; t=1795816042; bh=4D/0ouIKxczCxvVSpIKjs2Pf4v0yhEC3Ao92XIg83es=;',
  '\th=From:To:Subject:Date;',
  '\tb=T0Ay5hVjXxDgAJD7jLJ3+0uowHb5C+vMoYr+b32jHPvSpDsKHzrpHbmBKep0NjUiH',
  '\t OX021YaV9Ebn6X7A2fN27H9jtSbz3JC1naMCmaxJ3EHb2HC4FRLYfpY86F1Y84s5Gl',
  '\t lrE8wO4q0VIV1zrf6VPsePiMPYENfQpbreUy7KQ/3ttSiqEtpda2NcQzGqoMCO6LDT',
  '\t tx3xzOFwLtbMQsoRh//GUvdkm+oTsasFPysgvWoiAEDqFHLjjkB9D76IX0mOa9drMT',
  '\t x4tgn2cjdQ9z16XiGQFk3TM5LqyKZIjOFE+YwfmRlMhy6oq6PCluGxp441axI2KtnI',
  '\t TiUbgjED+JAXg==',
]

const MESSAGE = [
  'From: Ann =?utf-8?q?M=C3=BCller?= <ann@partner.example>',
  'To: bills@files.example',
  'Subject: Invoice  for   March',
  'Date: Fri, 27 Nov 2026 10:00:00 +0000',
  'Message-ID: <1@partner.example>',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8;',
  '\tformat=flowed',
  '',
  'Dear Bob,',
  '',
  'please pay  the invoice of March.  ',
  '',
  'Ann',
  '',
  '',
  '',
]

export const SIGNED = [SIMPLE, RELAXED].map((signature) => [...signature, ...MESSAGE].join('\r\n'))
