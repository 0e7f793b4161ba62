/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/aws.h"
#include "api/cwlogs/service.h"
#include "api/ecs/ecs.h"
#include "api/secretsmanager/secretsmanager.h"
#include "api/ssm/ssm.h"

const struct fg_aws_service *const fg_aws_services[] = {
        &fg_ecs_service, &fg_logs_service, &fg_secretsmanager_service,
        &fg_ssm_service, &fg_sts_service,  NULL,
};
