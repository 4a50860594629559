/** The f_type of statfs(2), by name (linux/magic.h and the file systems' own sources). */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'] /* ext2 and ext3, too: one driver serves all three */,
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0xca451a4e, 'bcachefs'],
  [0xf2f52010, 'f2fs'],
  [0x3153464a, 'jfs'],
  [0x3434, 'nilfs2'],
  [0x4d44, 'vfat'],
  [0x2011bab0, 'exfat'],
  [0x7366746e, 'ntfs3'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x958458f6, 'hugetlbfs'],
  [0x794c7630, 'overlay'],
  [0xf15f, 'ecryptfs'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse'],
  [0x00c36400, 'ceph'],
  [0x0bd00bd0, 'lustre'],
  [0x7461636f, 'ocfs2'],
  [0x01161970, 'gfs2'],
  [0x73717368, 'squashfs'],
  [0xe0f5e1e2, 'erofs'],
])

/** 'unknown' when there is no name for it: a name is never guessed. */
export const filesystemName = (type: number): string => NAMES.get(type >>> 0) ?? 'unknown'
