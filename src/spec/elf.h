/* spec/elf.h -- System V ABI, Executable and Linkable Format (ELF): what a core file needs. Offsets
 * are in bytes from the start of the header that the name says; 64 and 32 stand for the two
 * classes. */
#ifndef SPEC_ELF_H
#define SPEC_ELF_H

enum {
	/* e_ident, the same in both classes */
	ELF_IDENT_SIZE = 16,
	ELF_EI_CLASS = 4,
	ELF_EI_DATA = 5,
	ELF_CLASS_32 = 1,
	ELF_CLASS_64 = 2,
	ELF_DATA_LITTLE_ENDIAN = 1,
	ELF_DATA_BIG_ENDIAN = 2,

	ELF_E_TYPE = 16, /* 2 bytes */
	ELF_ET_CORE = 4,
	ELF_PN_XNUM = 0xffff, /* e_phnum: the count is in sh_info of the first section header */
	ELF_PT_LOAD = 1,

	ELF64_E_PHOFF = 32,	/* 8 bytes */
	ELF64_E_SHOFF = 40,	/* 8 bytes */
	ELF64_E_PHENTSIZE = 54, /* 2 bytes */
	ELF64_E_PHNUM = 56,	/* 2 bytes */
	ELF64_EHDR_SIZE = 64,
	ELF64_P_TYPE = 0,   /* 4 bytes */
	ELF64_P_OFFSET = 8, /* 8 bytes each */
	ELF64_P_PADDR = 24,
	ELF64_P_FILESZ = 32,
	ELF64_PHDR_SIZE = 56,
	ELF64_SH_INFO = 44, /* 4 bytes */
	ELF64_SHDR_SIZE = 64,

	ELF32_E_PHOFF = 28,	/* 4 bytes */
	ELF32_E_SHOFF = 32,	/* 4 bytes */
	ELF32_E_PHENTSIZE = 42, /* 2 bytes */
	ELF32_E_PHNUM = 44,	/* 2 bytes */
	ELF32_EHDR_SIZE = 52,
	ELF32_P_TYPE = 0, /* 4 bytes each */
	ELF32_P_OFFSET = 4,
	ELF32_P_PADDR = 12,
	ELF32_P_FILESZ = 16,
	ELF32_PHDR_SIZE = 32,
	ELF32_SH_INFO = 28, /* 4 bytes */
	ELF32_SHDR_SIZE = 40,
};

#define ELF_MAGIC "\177ELF"

#endif
